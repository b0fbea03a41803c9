import type { Summary } from '../../service/operations/summary-types.ts';
import type { Operations } from '../../service/operations.ts';

const WAITING = {
  pendingEntries: 3,
  stagedEntries: 1,
  stagedBytes: 120,
  slots: 32,
  slotsInUse: 1,
  batches: { staged: 0, persisting: 0, retrying: 1, stuck: 0, releasing: 0, ended: 0, unknown: 0 },
  oldestWriteAt: new Date(1_790_000_000_000),
  oldestAgeSeconds: 12.5,
  newestError: {
    at: new Date(1_790_000_010_000),
    workflowId: 'write-behind:p00:s03',
    type: 'unreachable',
    message: 'connect ECONNREFUSED 127.0.0.1:5432',
    attempts: 4,
    nextAttemptAt: new Date(1_790_000_018_000),
  },
  unknown: [{ dependency: 'postgres', problem: 'no answer in time' }],
} as const;

/** What the API shows while PostgreSQL is away. */
export const FAKE_SUMMARY: Summary = {
  at: new Date(1_790_000_012_500),
  allPersisted: false,
  ...WAITING,
  deadLetters: null,
  partitions: [{ partition: 0, ...WAITING, unknown: [] }],
};

/** Operations that answer something of the right form; `before` may throw. */
export function createFakeOperations(before: () => void = () => {}): Operations {
  return {
    async summary() {
      return FAKE_SUMMARY;
    },
    async discardWrites(_, { entries }) {
      before();
      return {
        batchId: '1-abc.p00.7',
        entries: entries.map(({ collection, key, version }) => ({
          collection,
          key,
          version: version ?? null,
          outcome: 'not-in-batch',
        })),
        cacheTold: true,
        workflowTold: true,
      };
    },
    async listDeadLetters() {
      before();
      return [];
    },
    async retryDeadLetter() {
      before();
      return { collection: 'carts', key: 'a', version: 4 };
    },
    async discardDeadLetter() {
      before();
    },
  };
}

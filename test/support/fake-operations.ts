import type { ListedBatch } from '../../service/operations/batch-types.ts';
import type { Summary } from '../../service/operations/summary-types.ts';
import type { Operations } from '../../service/operations.ts';
import type { DeadLetter } from '../../storage/postgres/dead-letters.ts';

const NEWEST_ERROR = {
  at: new Date(1_790_000_010_000),
  workflowId: 'write-behind:p00:s03',
  type: 'unreachable',
  message: 'connect ECONNREFUSED 127.0.0.1:5432',
  attempts: 4,
  nextAttemptAt: new Date(1_790_000_018_000),
} as const;

const WAITING = {
  draining: false,
  pendingEntries: 3,
  stagedEntries: 1,
  stagedBytes: 120,
  slots: 32,
  slotsInUse: 1,
  batches: { staged: 0, persisting: 0, retrying: 1, stuck: 0, releasing: 0, ended: 0, unknown: 0 },
  notInTemporal: 0,
  oldestWriteAt: new Date(1_790_000_000_000),
  oldestAgeSeconds: 12.5,
  newestError: NEWEST_ERROR,
  newestErrors: { retrying: NEWEST_ERROR, stuck: null, releasing: null },
  unknown: [{ dependency: 'postgres', problem: 'no answer in time' }],
} as const;

/** What the API shows while PostgreSQL is away. */
export const FAKE_SUMMARY: Summary = {
  at: new Date(1_790_000_012_500),
  allPersisted: false,
  ...WAITING,
  deadLetters: null,
  rowsWritten: null,
  partitions: [{ partition: 0, epoch: '1-abc', ...WAITING, unknown: [] }],
};

export const FAKE_BATCH: ListedBatch = {
  workflowId: 'write-behind:p00:s03',
  runId: '0198-run',
  batchId: '1-abc.p00.7',
  partition: 0,
  state: 'retrying',
  entries: 1,
  collections: ['carts'],
  oldestWriteAt: new Date(1_790_000_000_000),
  startedAt: new Date(1_790_000_000_200),
  attempts: 4,
  paused: false,
  lastError: { at: new Date(1_790_000_010_000), type: 'unreachable', message: 'connect ECONNREFUSED' },
  nextAttemptAt: new Date(1_790_000_018_000),
  uiUrl: 'http://127.0.0.1:8233/namespaces/default/workflows/write-behind%3Ap00%3As03/0198-run/history',
};

export const FAKE_LETTER: DeadLetter = {
  id: 7,
  collection: 'carts',
  key: 'a',
  version: 4,
  kind: 'document',
  partition: 0,
  batchId: '1-abc.p00.7',
  value: '{"n":12345678901234567890}',
  valueLength: 26,
  state: 'dead',
  sqlstate: '23514',
  message: 'refused',
  reason: null,
  decidedBy: null,
  decidedAt: null,
  createdAt: new Date(0),
};

/** Operations that answer something of the right form; `before` may throw. */
export function createFakeOperations(before: () => void = () => {}): Operations {
  return {
    async summary() {
      return FAKE_SUMMARY;
    },
    async listBatches({ after }) {
      before();
      return { batches: [FAKE_BATCH], next: after === '' ? FAKE_BATCH.workflowId : null };
    },
    async showBatch() {
      before();
      const counts = { total: 1, pending: 1, discarded: 0, setAside: 0 };
      const writes = [
        { collection: 'carts', key: 'a', version: 1_790_000_000_000_000, deleted: false, valueLength: 2 },
      ];
      return { ...FAKE_BATCH, counts, writes, next: null };
    },
    async retryBatch() {
      before();
      return { state: 'retrying', pending: 1 };
    },
    async flush() {
      before();
      return { persisted: false, left: [{ partition: 0, batches: 2 }] };
    },
    async listActions() {
      before();
      const at = new Date(1_790_000_000_000);
      return [{ id: 3, at, by: 'key ops, api r-1', action: 'drain', subject: '' }];
    },
    async showDeadLetter(id) {
      before();
      return { ...FAKE_LETTER, id };
    },
    async correctDeadLetter() {
      before();
      return { collection: 'carts', key: 'a', version: 6, state: 'persisted', resolved: true };
    },
    async setDraining(draining) {
      before();
      return { sequence: 1, draining, by: 'api r-1', at: new Date(1_790_000_000_000) };
    },
    async isDraining() {
      return false;
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

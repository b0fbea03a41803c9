import type { Collections } from '../../config/collections.ts';
import { readEnvironment } from '../../config/environment.ts';
import { parseEntryId } from '../../domain/entry.ts';
import { HoldfastError } from '../../domain/errors.ts';
import { mergePatch } from '../../domain/merge-patch.ts';
import type { EntryState } from '../../domain/mutation.ts';
import { NEVER_WRITTEN } from '../../domain/mutation.ts';
import type {
  DependencyHealth,
  Explanation,
  Holdfast,
  InvalidatedEntry,
  ReadResult,
  WriteOptions,
} from '../../service/holdfast.ts';
import type { Operations } from '../../service/operations.ts';
import { createPayloads } from '../../service/payloads.ts';
import { createRateLimiter, type RateLimits } from '../../service/rate-limiter.ts';
import type { Receipt } from '../../service/receipt.ts';
import { createWriteMany } from '../../service/write-many.ts';
import { createFakeOperations } from './fake-operations.ts';

/** The three collections of the shipped config, and a counter that is written through. */
const FAKE_COLLECTIONS: Collections = new Map(
  (
    [
      {
        name: 'orders',
        mode: 'write-through',
        kind: 'document',
        acknowledge: 'persisted',
        reads: 'latest',
        cacheTtlSeconds: 3600,
      },
      {
        name: 'carts',
        mode: 'write-behind',
        kind: 'document',
        acknowledge: 'queued',
        reads: 'latest',
        cacheTtlSeconds: 3600,
      },
      {
        name: 'page-views',
        mode: 'write-behind',
        kind: 'counter',
        acknowledge: 'cached',
        reads: 'latest',
        cacheTtlSeconds: 60,
      },
      {
        name: 'balances',
        mode: 'write-through',
        kind: 'counter',
        acknowledge: 'persisted',
        reads: 'latest',
        cacheTtlSeconds: 60,
      },
    ] as const
  ).map((collection) => [collection.name, collection]),
);

/** One call of a use case. */
export interface FakeCall {
  readonly method: 'invalidate' | 'read' | 'list' | 'put' | 'patch' | 'delete' | 'increment' | 'explain';
  readonly key: string;
  readonly options: WriteOptions;
}

export interface FakeHoldfast extends Holdfast {
  /** Every use case called so far, in order. */
  readonly calls: FakeCall[];
  readonly entries: Map<string, EntryState>;
  readonly closed: boolean;
  /** How long closing might have taken. */
  readonly closedWithinMs: number | undefined;
  /** Runs before each use case: may throw, or hold it up. */
  before: (call: FakeCall) => void | Promise<void>;
  /** What reads say beside the value. */
  found: Pick<ReadResult, 'source' | 'stored' | 'degraded'>;
  /** Whether reads of many entries do without Redis. */
  degraded: boolean;
  /** The level that writes reach; the one asked for where it is not set. */
  reached: Receipt['state'] | undefined;
  explanation: Partial<Explanation>;
  dependencies: readonly DependencyHealth[];
  /** What a test needs of it, the test puts here. */
  operations: Operations;
}

/** Holdfast in a `Map`, to test what the API makes of each answer and error of the real one. */
export function createFakeHoldfast({
  collections = FAKE_COLLECTIONS,
  rateLimits = createRateLimiter(new Map()),
}: {
  readonly collections?: Collections | undefined;
  readonly rateLimits?: RateLimits;
} = {}): FakeHoldfast {
  let version = 1_790_000_000_000_000;
  const fake: FakeHoldfast & { closed: boolean; closedWithinMs: number | undefined } = {
    collections,
    rateLimits,
    payloads: createPayloads(readEnvironment({})),
    calls: [],
    entries: new Map(),
    closed: false,
    closedWithinMs: undefined,
    before: () => {},
    found: { source: 'cache', stored: false },
    degraded: false,
    reached: undefined,
    explanation: {},
    dependencies: (['redis', 'temporal', 'postgres', 'workers', 'search-attributes'] as const).map(
      (dependency) => ({
        dependency,
        ok: true,
        problem: '',
        impact: '',
      }),
    ),

    operations: createFakeOperations(),

    async read(collection, key, options) {
      await called({ method: 'read', key, options });
      return { ...fake.found, state: stateOf(collection.name, key) };
    },
    async readMany(collection, keys, options) {
      const entries = [];
      for (const key of new Set(keys)) {
        await called({ method: 'read', key, options });
        entries.push({ key, ...stateOf(collection.name, key) });
      }
      return { entries, degraded: fake.degraded };
    },
    async list(collection, page, options) {
      await called({ method: 'list', key: JSON.stringify(page), options });
      const found = [...fake.entries]
        .map(([id, { version, value }]) => ({ ...parseEntryId(id), version, value: value ?? '' }))
        .filter((entry) => entry.collection === collection.name && entry.value !== '')
        .filter(({ key }) => key > page.after && key.startsWith(page.prefix))
        .sort((a, b) => (a.key < b.key ? -1 : 1));
      const entries = found
        .slice(0, page.limit)
        .map(({ key, version, value }) => ({ key, version, value, updatedAt: new Date(version / 1_000) }));
      return { entries, next: found.length > page.limit ? (entries.at(-1)?.key ?? null) : null };
    },
    async put(collection, key, value, options) {
      await called({ method: 'put', key, options });
      return write(collection, key, options, value);
    },
    async patch(collection, key, patch, options) {
      await called({ method: 'patch', key, options });
      const { value } = stateOf(collection.name, key);
      if (value === null) throw new HoldfastError('entry-not-found', 'There is no such entry.');
      return write(collection, key, options, mergePatch(value, patch));
    },
    async delete(collection, key, options) {
      await called({ method: 'delete', key, options });
      return write(collection, key, options, null);
    },
    async increment(collection, key, by, options) {
      await called({ method: 'increment', key, options });
      const value = Number(stateOf(collection.name, key).value ?? 0) + by;
      if (!Number.isSafeInteger(value))
        throw new HoldfastError('counter-overflow', 'It would leave its range.');
      return { ...write(collection, key, options, String(value)), value };
    },
    writeMany: (operations, options) =>
      createWriteMany(fake, async (some) => some.map(() => undefined), { error: unexpected })(
        operations,
        options,
      ),
    async writeTogether(operations, options) {
      const before = new Map(fake.entries);
      const receipts: Receipt[] = [];
      for (const result of await fake.writeMany(operations, options)) {
        if (result instanceof HoldfastError) {
          for (const [id, state] of before) fake.entries.set(id, state);
          throw result;
        }
        receipts.push(result);
      }
      return receipts;
    },
    async invalidate(collection, keys, options) {
      const results: InvalidatedEntry[] = [];
      for (const key of new Set(keys)) {
        await called({ method: 'invalidate', key, options });
        const { version: before } = stateOf(collection.name, key);
        results.push(
          before === 0
            ? { key, outcome: 'absent', version: null }
            : { key, outcome: 'invalidated', version: before + 2 },
        );
      }
      return results;
    },
    async explain(collection, key, options) {
      await called({ method: 'explain', key, options });
      return {
        collection: collection.name,
        key,
        partition: 0,
        epoch: '1-abc',
        cached: null,
        pending: null,
        row: null,
        setAside: [],
        winner: 'none',
        ...fake.explanation,
      };
    },
    health: async () => fake.dependencies,
    figures: async () => ({ dependencies: fake.dependencies, partitions: [] }),
    async close(deadlineAt) {
      fake.closed = true;
      fake.closedWithinMs = deadlineAt - performance.now();
    },
  };
  return fake;

  function unexpected(): never {
    throw new Error('a use case failed for an unexpected reason');
  }

  async function called(call: FakeCall): Promise<void> {
    fake.calls.push(call);
    await fake.before(call);
  }

  function stateOf(collection: string, key: string): EntryState {
    return fake.entries.get(`${collection}/${key}`) ?? NEVER_WRITTEN;
  }

  function write(
    collection: { name: string; mode: string; acknowledge: Receipt['state'] },
    key: string,
    { condition, durability }: WriteOptions,
    value: string | null,
  ): Receipt {
    const before = stateOf(collection.name, key);
    const current = before.value === null ? 0 : before.version;
    const refused =
      condition !== undefined && ('ifAbsent' in condition ? current !== 0 : condition.ifVersion !== current);
    if (refused) {
      throw new HoldfastError('precondition-failed', 'The entry has another version.', {
        currentVersion: current,
      });
    }
    version += 2;
    fake.entries.set(`${collection.name}/${key}`, { version, value });
    const through = collection.mode === 'write-through';
    return {
      collection: collection.name,
      key,
      version,
      state: fake.reached ?? (through ? 'persisted' : (durability ?? collection.acknowledge)),
      ...(through && value !== null && before.value === null ? { created: true } : {}),
    };
  }
}

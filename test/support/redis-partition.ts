import { Redis } from 'ioredis';
import type { Batch } from '../../domain/batch.ts';
import { type Epoch, nextEpoch } from '../../domain/epoch.ts';
import type { Mutation } from '../../domain/mutation.ts';
import { connectRedis, type RedisStore } from '../../storage/redis/client.ts';
import { EVENTS_CHANNEL, type PartitionKeys, partitionKeys } from '../../storage/redis/keys.ts';
import { type LookupOptions, lookup } from '../../storage/redis/lookup.ts';
import { installEpoch, lockForRecovery, type RecoveredPartition } from '../../storage/redis/recover.ts';
import { type SealedBatch, type SealOutcome, sealBatch } from '../../storage/redis/seal.ts';
import type { StageOutcome } from '../../storage/redis/stage-outcome.ts';
import { type StageOptions, stageWrite } from '../../storage/redis/write.ts';
import { type RedisTestOptions, type RedisTestServer, startRedis } from './services-redis.ts';

/** A private Redis, the store under test, and a connection of the test's own to look behind it. */
export interface RedisUnderTest {
  readonly server: RedisTestServer;
  readonly store: RedisStore;
  readonly raw: Redis;
  stop(): Promise<void>;
}

export async function startRedisUnderTest(options: RedisTestOptions = {}): Promise<RedisUnderTest> {
  const server = await startRedis(options);
  const store = connectRedis({ url: server.url, timeoutMs: 5_000, name: 'test' });
  const raw = new Redis(server.url);
  raw.on('error', () => {});
  await raw.ping();
  for (;;) {
    const ready = await store.ping().then(
      () => true,
      () => false,
    );
    if (ready) break;
    await new Promise(setImmediate);
  }
  return {
    server,
    store,
    raw,
    async stop() {
      raw.disconnect();
      await store.close();
      await server.stop();
    },
  };
}

/** Collects the batch events that Redis publishes, in order. */
export async function listenToEvents(url: string): Promise<{ readonly messages: string[]; close(): void }> {
  const connection = new Redis(url);
  const messages: string[] = [];
  connection.on('message', (_channel, message) => messages.push(message));
  await connection.subscribe(EVENTS_CHANNEL);
  return { messages, close: () => connection.disconnect() };
}

let partitions = 0;
let tokens = 0;

/** A token that nobody used before. */
export function token(): string {
  tokens += 1;
  return `token-${tokens}`;
}

/** The outcome of a write that must have been staged. */
export function staged(outcome: StageOutcome): StageOutcome & { outcome: 'staged' } {
  if (outcome.outcome !== 'staged') throw new Error(`not staged: ${JSON.stringify(outcome)}`);
  return outcome;
}

/** The batch of a seal that must have found one. */
export function sealed(outcome: SealOutcome): SealedBatch {
  if (outcome.outcome !== 'sealed') throw new Error(`not sealed: ${JSON.stringify(outcome)}`);
  return outcome.sealed;
}

/** A batch as `{ 'docs/a': 'value' }`. */
export function contentOf(batch: Pick<Batch, 'mutations'>): Record<string, string | null> {
  return Object.fromEntries(batch.mutations.map((one) => [`${one.collection}/${one.key}`, one.value]));
}

/** What a release needs to know of a batch. */
export function entriesOf(
  batch: Pick<Batch, 'mutations'>,
): Pick<Mutation, 'collection' | 'key' | 'version'>[] {
  return batch.mutations.map(({ collection, key, version }) => ({ collection, key, version }));
}

/** Recovers a partition as the service does, without Temporal and PostgreSQL. */
export async function recoverPartition(
  store: RedisStore,
  partition: number,
  recovered: Partial<RecoveredPartition> = {},
): Promise<Epoch> {
  const mine = token();
  const lock = await lockForRecovery(store, partition, {
    token: mine,
    lockMs: 60_000,
    minEpochNumber: Number.MAX_SAFE_INTEGER,
  });
  if (lock.outcome !== 'locked') throw new Error(`not locked: ${lock.outcome}`);
  const epoch = recovered.epoch ?? nextEpoch('abcdefgh', lock.oldEpoch === '' ? '0-0' : lock.oldEpoch);
  const installed = await installEpoch(store, partition, {
    token: mine,
    identity: lock.identity,
    epoch,
    clock: 0,
    slots: 4,
    blockMs: 1,
    adopted: [],
    pending: [],
    setAside: [],
    rows: [],
    drain: { sequence: 0, draining: false },
    ...recovered,
  });
  if (!installed) throw new Error('not installed');
  return epoch;
}

/** A fresh partition in its first epoch, with short names for what these tests do all the time. */
export interface TestPartition {
  readonly partition: number;
  readonly epoch: Epoch;
  readonly keys: PartitionKeys;
  readonly slots: number;
  /** Options of a staged write, with defaults that get in nobody's way. */
  options(over?: Partial<StageOptions>): StageOptions;
  put(key: string, value: string | null, over?: Partial<StageOptions>): Promise<StageOutcome>;
  add(key: string, by: number, over?: Partial<StageOptions>): Promise<StageOutcome>;
  /** Puts a counter's value as a write, so that it is in the cache. */
  setCounter(key: string, value: string | null): Promise<StageOutcome>;
  look(
    key: string,
    over?: Partial<LookupOptions> & { readonly collection?: string },
  ): ReturnType<typeof lookup>;
  seal(over?: { readonly gatherMinMs?: number; readonly gatherMaxMs?: number }): Promise<SealOutcome>;
  /** Every key of the partition with its whole content, to see that nothing changed. */
  dump(): Promise<Record<string, unknown>>;
  /** Lets a cached copy or a lease expire. */
  expire(id: string): Promise<void>;
}

export async function openPartition(
  { store, raw }: Pick<RedisUnderTest, 'store' | 'raw'>,
  recovered: Partial<RecoveredPartition> = {},
): Promise<TestPartition> {
  const partition = partitions;
  partitions += 1;
  const epoch = await recoverPartition(store, partition, recovered);
  const keys = partitionKeys(partition);
  const slots = recovered.slots ?? 4;
  const options = (over: Partial<StageOptions> = {}): StageOptions => ({
    partition,
    epoch,
    notAfter: () => Number.MAX_SAFE_INTEGER,
    ttlMs: 600_000,
    limits: { entries: 1_000, bytes: 262_144 },
    maxQueued: 32,
    ...over,
  });
  return {
    partition,
    epoch,
    keys,
    slots,
    options,
    put: (key, value, over) =>
      stageWrite(store, { collection: 'docs', key, kind: 'document', value }, options(over)),
    add: (key, by, over) => stageWrite(store, { collection: 'hits', key, by }, options(over)),
    setCounter: (key, value) =>
      stageWrite(store, { collection: 'hits', key, kind: 'counter', value }, options()),
    look: (key, { collection = 'docs', ...over } = {}) =>
      lookup(
        store,
        { collection, key },
        { partition, epoch, token: token(), leaseMs: 600_000, writeThrough: false, durable: false, ...over },
      ),
    seal: (over = {}) =>
      sealBatch(store, { partition, epoch, slots, gatherMinMs: 0, gatherMaxMs: 0, ...over }),
    dump: () => dumpPartition(raw, partition),
    async expire(id) {
      await raw.del(keys.entryPrefix + id);
    },
  };
}

export async function dumpPartition(raw: Redis, partition: number): Promise<Record<string, unknown>> {
  const { name } = partitionKeys(partition);
  const found: Record<string, unknown> = {};
  for (const key of (await raw.keys(`hf:{${name}}:*`)).sort()) {
    const type = await raw.type(key);
    if (type === 'hash') {
      const fields = await raw.hgetallBuffer(key);
      found[key] = Object.fromEntries(
        Object.entries(fields)
          .map(([field, value]) => [field, value.toString('latin1')] as const)
          .sort(([a], [b]) => (a < b ? -1 : 1)),
      );
    } else if (type === 'list') found[key] = await raw.lrange(key, 0, -1);
    else found[key] = await raw.get(key);
  }
  return found;
}

/** Redis' own time in µs. */
export async function redisTime(raw: Redis): Promise<number> {
  const [seconds, micros] = (await raw.time()) as [string | number, string | number];
  return Number(seconds) * 1_000_000 + Number(micros);
}

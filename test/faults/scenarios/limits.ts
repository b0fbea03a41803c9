import type { Redis } from 'ioredis';
import { type Call, isWrite } from '../history.ts';
import type { FaultContext, Scenario } from '../scenario.ts';

const FILLER = 'faults:filler';
const FILLER_BYTES = 16_384;
const DISK_FULL = '53100';

async function usedBytes(redis: Redis): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1]);
}

/** Adds what may not be evicted until nothing more is taken. */
async function fill(redis: Redis): Promise<void> {
  try {
    for (;;) await redis.append(FILLER, 'x'.repeat(FILLER_BYTES));
  } catch (error) {
    if (!(error as Error).message.startsWith('OOM')) throw error;
  }
}

/** Calls that began and ended while Redis was full, to the last byte. */
interface Full {
  from: number;
  to: number;
}

function redisFull(policy: 'noeviction' | 'volatile-lru'): Scenario {
  const full: Full = { from: 0, to: 0 };
  const within = (calls: readonly Call[]) =>
    calls.filter((call) => call.start >= full.from && call.end <= full.to);
  return {
    name: `redis-full-${policy}`,
    promises: `Redis is at maxmemory with ${policy}: reads and write-through go on, write-behind succeeds or says that it did not happen.`,
    bed: { redis: 'always' },
    minimumDuring: 30,
    async fault({ bed, random, pause, begin, end }) {
      await pause(300, 1_000);
      const redis = bed.redisClient;
      await redis.config('SET', 'maxmemory-policy', policy);
      try {
        await redis.config('SET', 'maxmemory', (await usedBytes(redis)) + random.int(1, 64) * 1_024);
        begin();
        // First it fills by what is written, and evicts what it may; then nothing is left that may go.
        await pause(500, 1_500);
        await fill(redis);
        full.from = performance.now();
        for (let times = random.int(3, 6); times > 0; times--) {
          await pause(250, 500);
          // Batches that leave make room.
          full.to = performance.now();
          await fill(redis);
        }
      } finally {
        await redis.config('SET', 'maxmemory', 0, 'maxmemory-policy', 'noeviction');
        await redis.del(FILLER);
      }
      end();
    },
    async afterwards({ calls, complain }) {
      const then = within(calls);
      const turnedAway = then.filter((call) => call.detail?.includes('memory limit'));
      const wrongly = turnedAway.filter((call) => call.operation === 'read' || call.collection === 'orders');
      for (const { operation, collection } of wrongly)
        complain(`a ${operation} of ${collection} was turned away: Redis was full`);
      if (turnedAway.length === wrongly.length) complain('no write-behind was refused: Redis was not full');
      const orders = then.filter((call) => call.collection === 'orders' && call.outcome === 'ok');
      if (!orders.some(isWrite)) complain('no write-through succeeded while Redis was full');
    },
  };
}

/** What a body of so many bytes is answered with must follow from its size alone. */
function judgeSizes({ bed, calls, complain }: FaultContext): void {
  const { MAX_VALUE_BYTES } = bed.environment;
  const large = calls.filter((call) => call.bytes !== undefined);
  const stored = large.filter((call) => call.outcome === 'ok');
  const tooLarge = large.filter((call) => call.code === '413 value-too-large');
  for (const call of stored) {
    if (Number(call.bytes) > MAX_VALUE_BYTES) complain(`a value of ${call.bytes} bytes was accepted`);
  }
  for (const call of tooLarge) {
    if (Number(call.bytes) <= MAX_VALUE_BYTES) complain(`a value of ${call.bytes} bytes was refused`);
  }
}

/** The largest value there may be, and one byte more: the workload may happen to send neither. */
async function meetsTheLimit({ bed, prefix, complain }: FaultContext): Promise<void> {
  const { MAX_VALUE_BYTES } = bed.environment;
  for (const [bytes, wanted] of [
    [MAX_VALUE_BYTES, [200, 201, 202]],
    [MAX_VALUE_BYTES + 1, [413]],
  ] as const) {
    const answer = await fetch(`${bed.apis[0]?.url}/v1/collections/carts/entries/${prefix}limit`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: `"${'x'.repeat(bytes - 2)}"`,
    });
    await answer.arrayBuffer();
    if (!(wanted as readonly number[]).includes(answer.status))
      complain(`a value of ${bytes} bytes got ${answer.status}`);
  }
}

/** Keys one byte longer than they may be, in any spelling, are refused. */
async function refusesLongKeys({ bed, prefix, complain }: FaultContext): Promise<void> {
  for (const key of [`${prefix}${'x'.repeat(513 - prefix.length)}`, 'é'.repeat(257)]) {
    const answer = await fetch(
      `${bed.apis[0]?.url}/v1/collections/carts/entries/${encodeURIComponent(key)}`,
      { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '1' },
    );
    await answer.arrayBuffer();
    if (answer.status !== 400) complain(`a key of ${Buffer.byteLength(key)} bytes got ${answer.status}`);
  }
}

/** What the server says when it cannot make a file longer. Each statement ends with it; nothing of it is kept. */
async function refuseForSpace({ bed }: FaultContext, tables: readonly string[]): Promise<void> {
  await bed.db.query(`
    CREATE FUNCTION faults_no_space() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = '${DISK_FULL}'; END $$`);
  for (const table of tables) {
    await bed.db.query(
      `CREATE TRIGGER faults_no_space BEFORE INSERT OR UPDATE ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION faults_no_space()`,
    );
  }
}

const largest = 128 * 1024;

export const limitScenarios: readonly Scenario[] = [
  redisFull('noeviction'),
  redisFull('volatile-lru'),
  {
    name: 'oversized',
    promises:
      'Values around every limit, under the longest keys, with and without a worker: stored, or refused for their size; no batch is stuck.',
    bed: { redis: 'always' },
    minimumDuring: 100,
    workload: {
      clients: 12,
      longKeys: true,
      bodyBytes: (random) =>
        // Few of them are many bytes, for Temporal's history above all.
        random.chance(0.9)
          ? undefined
          : random.pick([largest + 1, largest, largest, largest - 1, largest / 2, random.int(100, largest)]),
    },
    async fault(context) {
      const { bed, random, pause, begin, end } = context;
      await pause(200, 600);
      const workerDies = random.chance(0.6);
      begin();
      if (workerDies) await bed.workers[0]?.kill();
      await refusesLongKeys(context);
      await meetsTheLimit(context);
      await pause(2_000, 3_500);
      if (workerDies) bed.workers[0] = await bed.startWorker();
      end();
    },
    async afterwards(context) {
      judgeSizes(context);
    },
  },
  {
    name: 'postgres-no-space',
    promises:
      'PostgreSQL answers writes with "disk full" (SQLSTATE 53100, raised by a trigger): write-behind waits, write-through says so, nothing is set aside.',
    bed: { redis: 'always' },
    minimumDuring: 100,
    async fault(context) {
      const { bed, random, pause, begin, end } = context;
      await pause(300, 1_000);
      const tables = random.pick([['documents', 'counters'], ['documents'], ['partition_clocks']]);
      await refuseForSpace(context, tables);
      begin();
      await pause(1_500, 4_000);
      await bed.db.query('DROP FUNCTION faults_no_space CASCADE');
      end();
    },
    async afterwards({ bed, prefix, complain }) {
      const { rows } = await bed.db.query('SELECT 1 FROM dead_letters WHERE starts_with(key, $1)', [prefix]);
      if (rows.length > 0) complain(`${rows.length} writes were set aside for want of space`);
    },
  },
];

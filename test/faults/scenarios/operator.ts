import { slotWorkflowId } from '../../../config/temporal-names.ts';
import { until } from '../../../dev/until.ts';
import type { EntryRef } from '../../../domain/entry.ts';
import { partitionName } from '../../../domain/partition.ts';
import { PARTITIONS } from '../bed.ts';
import { asValue } from '../outcome.ts';
import type { FaultContext, Scenario } from '../scenario.ts';
import { refusePoison, takePoison } from './data.ts';

interface DeadLetter {
  readonly id: number;
  readonly collection: string;
  readonly key: string;
  readonly version: number;
  readonly state: 'dead' | 'discarded';
}

interface HttpAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: an answer of the API, read as docs/http.md has it
  readonly json: any;
}

/** Codes with which a decision may be put off: batches were being persisted, or the batch was through already. */
const NOT_NOW = new Set([
  'dependency-unavailable',
  'outcome-unknown',
  'batch-not-found',
  'deadline-exceeded',
]);
/** How many retries make a run worth judging. */
const ENOUGH = 3;
const MOST_TRIES = 20;

async function http(
  { bed, random }: FaultContext,
  method: 'GET' | 'PUT' | 'POST',
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
) {
  const { url } = random.pick(bed.apis as [(typeof bed.apis)[number], ...typeof bed.apis]);
  const answer = await fetch(url + path, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, json: await answer.json() } as HttpAnswer;
}

/** The workflows that hold batches now. */
async function batchesUnderWay({ bed }: FaultContext): Promise<readonly string[]> {
  const found: string[] = [];
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const name = partitionName(partition);
    for (const sent of await bed.redisClient.hvals(`hf:{${name}}:sent`)) {
      const slot = /^(\d+) confirmed /.exec(sent)?.[1];
      if (slot !== undefined) found.push(slotWorkflowId(partition, Number(slot)));
    }
  }
  return found;
}

/** Discards what a batch holds of a few entries. Answers how many writes that were. */
async function discardFrom(
  context: FaultContext,
  workflowId: string,
  entries: readonly EntryRef[],
): Promise<number> {
  const { status, json } = await http(context, 'POST', `/ops/v1/batches/${workflowId}/discard`, {
    entries: entries.map(({ collection, key }) => ({ collection, key })),
    reason: 'a fault',
  });
  if (status !== 200) {
    if (!NOT_NOW.has(json.code)) context.complain(`a discard: ${JSON.stringify(json)}`);
    return 0;
  }
  const at = performance.now();
  const discarded = json.entries.filter(({ outcome }: { outcome: string }) => outcome === 'discarded');
  for (const { collection, key, version } of discarded) {
    context.decided({ collection, key, version, decided: 'discarded', at });
  }
  // Redis is there all the time.
  if (json.cacheTold !== true) context.complain('a discard could not tell Redis');
  return discarded.length;
}

/** Retries a dead letter until it is known what became of it. */
async function retryOne(context: FaultContext, { id, ...entry }: DeadLetter): Promise<boolean> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const { status, json } = await http(context, 'POST', `/ops/v1/dead-letters/${id}/retry`);
    // Gone: the answer to an earlier try was lost.
    if (status === 200 || json.code === 'dead-letter-not-found') {
      const { collection, key, version } = entry;
      context.decided({ collection, key, version, decided: 'retried', at: performance.now() });
      return true;
    }
    if (!NOT_NOW.has(json.code)) {
      context.complain(`a retry: ${JSON.stringify(json)}`);
      return false;
    }
  }
  context.complain(`the retry of dead letter ${id} came to no end`);
  return false;
}

async function deadLetters(context: FaultContext): Promise<readonly DeadLetter[]> {
  const all: DeadLetter[] = [];
  for (let after: number | null = 0; after !== null; ) {
    const { json }: HttpAnswer = await http(context, 'GET', `/ops/v1/dead-letters?after=${after}&limit=200`);
    all.push(...json.deadLetters);
    after = json.next;
  }
  return all.filter(({ key, state }) => key.startsWith(context.prefix) && state === 'dead');
}

/** Nobody can write documents or counters; they can be read, so that the operator sees what is there. */
async function whileNothingIsWritten({ bed }: FaultContext, work: () => Promise<void>): Promise<void> {
  const session = await bed.db.connect();
  try {
    await session.query('BEGIN; LOCK TABLE documents, counters IN SHARE MODE');
    await work();
  } finally {
    await session.query('ROLLBACK');
    session.release();
  }
}

async function whileWorkersAreFrozen({ bed }: FaultContext, work: () => Promise<void>): Promise<void> {
  const signal = (name: NodeJS.Signals) => {
    for (const worker of bed.workers) process.kill(worker.pid, name);
  };
  signal('SIGSTOP');
  try {
    await work();
  } finally {
    signal('SIGCONT');
  }
}

/** Busy entries, in whatever batch: what is discarded may lie below newer writes, and above older ones that wait. */
async function discardSome(context: FaultContext): Promise<void> {
  const { random, calls } = context;
  for (let tries = 0; tries < 5; tries++) {
    const [call, ...others] = calls.filter(
      ({ collection, operation, outcome }) =>
        outcome === 'ok' && operation !== 'read' && collection !== 'orders',
    );
    const [batch, ...batches] = await batchesUnderWay(context);
    if (call !== undefined && batch !== undefined) {
      const few = Array.from({ length: 3 }, () => random.pick([call, ...others]));
      await discardFrom(context, random.pick([batch, ...batches]), few);
    }
    await context.pause(20, 120);
  }
}

/** Entries that nobody but the operator writes: what their rows hold at the end, nothing has covered up. */
const QUIET = 8;
const quietKey = ({ prefix }: FaultContext, i: number) => `${prefix}quiet${i}`;

/** Writes all quiet entries until that is acknowledged. */
async function writeQuiet(context: FaultContext, token: string, level: 'queued' | 'persisted') {
  await Promise.all(
    Array.from({ length: QUIET }, (_, i) =>
      until(
        async () => {
          const path = `/v1/collections/carts/entries/${quietKey(context, i)}`;
          const { status, json } = await http(
            context,
            'PUT',
            path,
            { token },
            { prefer: `durability=${level}` },
          );
          return status < 300 && json.state === level;
        },
        { what: `a quiet entry to be ${level}`, timeoutMs: 20_000 },
      ),
    ),
  );
}

/** Discards the last write of every other quiet entry. */
async function discardQuiet(context: FaultContext): Promise<void> {
  for (let i = 0; i < QUIET; i += 2) {
    const entry = { collection: 'carts', key: quietKey(context, i) };
    await until(
      async () => {
        const path = `/v1/collections/carts/entries/${entry.key}/explanation`;
        const workflowId = (await http(context, 'GET', path)).json.pending?.workflowId;
        return typeof workflowId === 'string' && (await discardFrom(context, workflowId, [entry])) === 1;
      },
      { what: 'a discard', timeoutMs: 30_000 },
    );
  }
}

/** Discarded writes left their rows as they were, and the others reached theirs; all readers agree. */
async function checkQuiet(context: FaultContext): Promise<void> {
  const { bed } = context;
  for (let i = 0; i < QUIET; i++) {
    const key = quietKey(context, i);
    const expected = i % 2 === 0 ? 'former' : 'last';
    const { rows } = await bed.db.query(`SELECT value->>'token' AS token FROM documents WHERE key = $1`, [
      key,
    ]);
    const seen = [rows[0]?.token];
    for (const { url } of bed.apis) {
      seen.push(asValue(await (await fetch(`${url}/v1/collections/carts/entries/${key}`)).json()));
    }
    if (seen.some((token) => token !== expected)) {
      context.complain(
        `${key}: the row and the API processes say ${seen.join(', ')}, it must be ${expected}`,
      );
    }
  }
}

export const operatorScenarios: readonly Scenario[] = [
  {
    name: 'operator-discards',
    promises:
      'While PostgreSQL takes no writes, pending ones are discarded, and dead letters retried later: neighbours are persisted.',
    bed: { redis: 'always' },
    seconds: 25,
    minimumDuring: 50,
    workload: { poison: 0.15 },
    prepare: refusePoison,
    async fault(context) {
      const { random, pause, begin, end, complain } = context;
      await until(async () => (await deadLetters(context)).length >= ENOUGH, {
        what: 'dead letters',
        timeoutMs: 20_000,
        everyMs: 200,
      });
      begin();
      await writeQuiet(context, 'former', 'persisted');
      await whileNothingIsWritten(context, async () => {
        await writeQuiet(context, 'last', 'queued');
        await pause(100, 400);
        const work = async () => {
          await discardQuiet(context);
          await discardSome(context);
        };
        // Sometimes no workflow can be told: then only what PostgreSQL has on record keeps the discarded writes out.
        await (random.chance(0.5) ? whileWorkersAreFrozen(context, work) : work());
      });
      await takePoison(context);
      let retried = 0;
      for (const letter of (await deadLetters(context)).slice(0, 2 * ENOUGH)) {
        if (retried >= ENOUGH && random.chance(0.3)) {
          await http(context, 'POST', `/ops/v1/dead-letters/${letter.id}/discard`, { reason: 'a fault' });
        } else if (await retryOne(context, letter)) retried++;
      }
      end();
      if (retried < ENOUGH) complain(`only ${retried} dead letters could be retried`);
    },
    afterwards: checkQuiet,
  },
];

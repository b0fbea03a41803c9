import { slotWorkflowId } from '../../../config/temporal-names.ts';
import { until } from '../../../dev/until.ts';
import { partitionName } from '../../../domain/partition.ts';
import { PARTITIONS } from '../bed.ts';
import type { Call } from '../history.ts';
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
/** How many decisions of each kind make a run worth judging. */
const ENOUGH = 3;
const MOST_TRIES = 20;

async function http({ bed, random }: FaultContext, method: 'GET' | 'POST', path: string, body?: unknown) {
  const { url } = random.pick(bed.apis as [(typeof bed.apis)[number], ...typeof bed.apis]);
  const answer = await fetch(url + path, {
    method,
    headers: { 'content-type': 'application/json' },
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
async function discardFew(context: FaultContext, entries: readonly Call[]): Promise<number> {
  const [first, ...others] = await batchesUnderWay(context);
  if (first === undefined) return 0;
  const workflowId = context.random.pick([first, ...others]);
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

async function whileWorkersAreFrozen<T>({ bed }: FaultContext, work: () => Promise<T>): Promise<T> {
  const signal = (name: NodeJS.Signals) => {
    for (const worker of bed.workers) process.kill(worker.pid, name);
  };
  signal('SIGSTOP');
  try {
    return await work();
  } finally {
    signal('SIGCONT');
  }
}

async function discardSome(context: FaultContext): Promise<number> {
  const { random, calls } = context;
  let discarded = 0;
  for (let tries = 0; tries < MOST_TRIES && discarded < 2 * ENOUGH; tries++) {
    const [first, ...others] = calls.filter(
      ({ collection, operation, outcome }) =>
        outcome === 'ok' && operation !== 'read' && collection !== 'orders',
    );
    if (first !== undefined) {
      const few = Array.from({ length: 3 }, () => random.pick([first, ...others]));
      discarded += await discardFew(context, few);
    }
    await context.pause(20, 120);
  }
  return discarded;
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
      let discarded = 0;
      await whileNothingIsWritten(context, async () => {
        await pause(300, 600);
        // Sometimes no workflow can be told: then only what PostgreSQL has on record keeps the discarded writes out.
        const work = () => discardSome(context);
        discarded = await (random.chance(0.5) ? whileWorkersAreFrozen(context, work) : work());
      });
      await takePoison(context);
      let retried = 0;
      for (const letter of (await deadLetters(context)).slice(0, 2 * ENOUGH)) {
        if (retried >= ENOUGH && random.chance(0.3)) {
          await http(context, 'POST', `/ops/v1/dead-letters/${letter.id}/discard`, { reason: 'a fault' });
        } else if (await retryOne(context, letter)) retried++;
      }
      end();
      if (discarded < ENOUGH) complain(`only ${discarded} writes could be discarded`);
      if (retried < ENOUGH) complain(`only ${retried} dead letters could be retried`);
    },
  },
];

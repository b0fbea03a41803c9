import type { Call } from '../history.ts';
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

/** Discards what waits of an entry that somebody wrote lately. Answers whether it did. */
async function discardOne(context: FaultContext, { collection, key }: Call): Promise<boolean> {
  const path = `/v1/collections/${collection}/entries/${encodeURIComponent(key)}/explanation`;
  const pending = (await http(context, 'GET', path)).json.pending;
  if (pending?.workflowId == null) return false;
  const entry = { collection, key, version: pending.version };
  const answer = await http(context, 'POST', `/ops/v1/batches/${pending.workflowId}/discard`, {
    entries: [entry],
    reason: `a fault, with ${asValue(pending.value)}`.slice(0, 100),
  });
  if (answer.status !== 200) {
    if (!NOT_NOW.has(answer.json.code)) context.complain(`a discard: ${JSON.stringify(answer.json)}`);
    return false;
  }
  if (answer.json.entries[0].outcome !== 'discarded') return false;
  // Redis is there all the time.
  if (answer.json.cacheTold !== true) context.complain('a discard could not tell Redis');
  context.decided({ ...entry, decided: 'discarded', at: performance.now() });
  return true;
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

async function discardSome(context: FaultContext): Promise<number> {
  const { random, calls } = context;
  let discarded = 0;
  for (let tries = 0; tries < MOST_TRIES && discarded < 2 * ENOUGH; tries++) {
    const lately = calls.slice(-200).filter(({ collection, operation, outcome }) => {
      return outcome === 'ok' && operation !== 'read' && collection !== 'orders';
    });
    const [first, ...others] = lately;
    if (first !== undefined && (await discardOne(context, random.pick([first, ...others])))) discarded++;
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
    minimumDuring: 50,
    workload: { poison: 0.05 },
    prepare: refusePoison,
    async fault(context) {
      const { random, pause, begin, end, complain } = context;
      // Some dead letters first.
      await pause(1_000, 1_500);
      begin();
      let discarded = 0;
      await whileNothingIsWritten(context, async () => {
        await pause(300, 600);
        discarded = await discardSome(context);
      });
      await takePoison(context);
      let retried = 0;
      for (const letter of await deadLetters(context)) {
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

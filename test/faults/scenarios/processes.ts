import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { readEnvironment } from '../../../config/environment.ts';
import { ROOT } from '../../../dev/clone.ts';
import type { Bed } from '../bed.ts';
import { CUT_OFF, NEVER_REACHED } from '../outcome.ts';
import type { FaultContext, Scenario } from '../scenario.ts';

const bed = { redis: 'always' } as const;
const HOUR_MS = 3_600_000;

async function workerGone({ bed, pause, begin, end }: FaultContext, minMs: number, maxMs: number) {
  await pause(300, 1_200);
  await bed.workers[0]?.kill();
  begin();
  await pause(minMs, maxMs);
  bed.workers[0] = await bed.startWorker();
  end();
}

async function replaceApi({ bed }: FaultContext, index: number): Promise<void> {
  bed.apis[index] = await bed.startApi(index);
}

/** New ones first, then the old ones get SIGTERM, as an orchestrator does it. */
async function rolling(context: FaultContext): Promise<void> {
  const { bed, pause, begin, end, complain } = context;
  await pause(300, 800);
  begin();
  for (const index of [0, 1]) {
    const old = bed.apis[index];
    await replaceApi(context, index);
    await pause(50, 400);
    await old?.child.stop();
    const how = await old?.child.exited;
    if (how !== 'exit code 0') complain(`API ${index} ended with ${how} after SIGTERM`);
  }
  const oldWorker = bed.workers[0];
  bed.workers[0] = await bed.startWorker();
  await pause(50, 400);
  await oldWorker?.stop();
  const how = await oldWorker?.exited;
  if (how !== 'exit code 0') complain(`the worker ended with ${how} after SIGTERM`);
  end();
}

/** A connection that ended without an answer must not have carried a write that happened. */
export async function nothingUnanswered({ bed, calls, complain }: FaultContext): Promise<void> {
  for (const call of calls) {
    if (call.outcome !== 'unknown' || call.token === undefined) continue;
    const { rows } = await bed.db.query(`SELECT 1 FROM documents WHERE value->>'token' = $1`, [call.token]);
    const read = calls.some((other) => other.operation === 'read' && other.value === call.token);
    if (rows.length > 0 || read) complain(`${call.token} happened and was never answered (${call.code})`);
  }
}

function lastLogTime(bed: Bed, name: string): number {
  const file = readdirSync(bed.logs)
    .filter((log) => log.endsWith(`${name}.log`))
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    .at(-1);
  const line =
    readFileSync(join(bed.logs, file ?? ''), 'utf8')
      .trim()
      .split('\n')
      .at(-1) ?? '{}';
  return Number((JSON.parse(line) as { time?: unknown }).time);
}

function wrongClock(name: string, words: string, shiftMs: number): Scenario {
  const preload = pathToFileURL(join(ROOT, 'test', 'faults', 'shifted-clock.mjs'));
  return {
    name,
    promises: `The clock of one API process is an hour ${words}: no version goes back, nothing is lost.`,
    bed: {
      redis: 'always',
      secondApi: { NODE_OPTIONS: `--import=${preload.href}`, SHIFT_CLOCK_MS: String(shiftMs) },
    },
    minimumDuring: 200,
    async fault({ bed, pause, begin, end, complain }) {
      const off = lastLogTime(bed, 'api1') - Date.now();
      if (Math.abs(off - shiftMs) > HOUR_MS / 4)
        complain(`the clock is off by ${off} ms, not by ${shiftMs} ms`);
      begin();
      await pause(3_000, 4_000);
      end();
    },
  };
}

export const processScenarios: readonly Scenario[] = [
  {
    name: 'worker-killed',
    promises: 'The worker is killed with batches in its hands: the next one finishes them, once.',
    bed,
    minimumDuring: 30,
    fault: (context) => workerGone(context, 200, 1_500),
  },
  {
    name: 'no-worker',
    promises:
      'No worker for a while: writes are queued and read all the same, and all reach PostgreSQL later.',
    bed,
    minimumDuring: 150,
    fault: (context) => workerGone(context, 4_000, 6_000),
  },
  {
    name: 'api-killed',
    promises: 'One of two API processes is killed: the other goes on and adopts its batches.',
    bed,
    minimumDuring: 50,
    async fault(context) {
      const { bed, random, pause, begin, end } = context;
      await pause(300, 1_200);
      const index = random.int(0, 1);
      await bed.apis[index]?.child.kill();
      begin();
      await pause(1_500, 3_000);
      await replaceApi(context, index);
      end();
    },
  },
  {
    name: 'rolling-restart',
    promises: 'API and worker are replaced one after the other under load: no request fails.',
    // Nothing is out of order here that a request should give up on early: the deadline is the one that is shipped. On a busy
    // machine Temporal may take the bench's three seconds to start a batch that a durable read waits for.
    bed: { ...bed, settings: { REQUEST_DEADLINE_MS: String(readEnvironment({}).REQUEST_DEADLINE_MS) } },
    seconds: 18,
    minimumDuring: 200,
    workload: { keepAlive: false },
    allowedFailures: [NEVER_REACHED, ...CUT_OFF, '412 precondition-failed'],
    fault: rolling,
    afterwards: nothingUnanswered,
  },
  wrongClock('clock-ahead', 'ahead', HOUR_MS),
  wrongClock('clock-behind', 'behind', -HOUR_MS),
];

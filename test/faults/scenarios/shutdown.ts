import type { Child } from '../../../dev/services/child.ts';
import { until } from '../../../dev/until.ts';
import { CUT_OFF, NEVER_REACHED } from '../outcome.ts';
import type { FaultContext, Scenario } from '../scenario.ts';
import { nothingUnanswered } from './processes.ts';

const bed = { redis: 'always' } as const;
/** What supervisors commonly wait before they kill. */
const DEADLINE_MS = 10_000;
/** A second signal means now; a busy machine needs a moment for that. */
const AT_ONCE_MS = 3_000;

/** SIGTERM with clients still there, and nobody to take over: which of the processes, the seed decides. */
async function stopUnderLoad({ bed, random, pause, begin, end, complain }: FaultContext): Promise<void> {
  await pause(300, 1_000);
  const index = random.int(0, 1);
  const victims = random.pick([['api'], ['worker'], ['api', 'worker']]);
  begin();
  const ended = await Promise.all(
    victims.map(async (name) => {
      const child = name === 'api' ? bed.apis[index]?.child : bed.workers[0];
      const asked = performance.now();
      await child?.stop();
      const ms = Math.round(performance.now() - asked);
      return { name, how: await child?.exited, ms };
    }),
  );
  await pause(200, 800);
  if (victims.includes('worker')) bed.workers[0] = await bed.startWorker();
  if (victims.includes('api')) bed.apis[index] = await bed.startApi(index);
  end();
  for (const { name, how, ms } of ended) {
    if (how !== 'exit code 0' || ms > DEADLINE_MS)
      complain(`SIGTERM under load: the ${name} ended with ${how} after ${ms} ms`);
  }
}

/** Two different signals: two of a kind may be delivered as one. */
async function hurry(child: Child, complain: FaultContext['complain']): Promise<void> {
  process.kill(child.pid, 'SIGTERM');
  process.kill(child.pid, 'SIGINT');
  const ends = until(() => !child.running(), { what: 'it to end at once', timeoutMs: AT_ONCE_MS });
  await ends.catch((error: Error) => complain(`a second signal to ${child.name}: ${error.message}`));
  await child.kill();
}

export const shutdownScenarios: readonly Scenario[] = [
  {
    name: 'sigterm-under-load',
    promises:
      'API and worker get SIGTERM with clients still there: they end in good order and in time, and no request fails but for refused connections.',
    bed,
    seconds: 14,
    minimumDuring: 100,
    workload: { keepAlive: false },
    // Without a worker slots fill, and durable reads wait for one.
    allowedFailures: [NEVER_REACHED, ...CUT_OFF, '412 precondition-failed', '504 deadline-exceeded'],
    fault: stopUnderLoad,
    afterwards: nothingUnanswered,
  },
  {
    name: 'hasty-shutdown',
    promises:
      'API and worker get a second signal at once: they end at once, and nothing acknowledged is lost.',
    bed,
    seconds: 16,
    minimumDuring: 100,
    async fault({ bed, random, pause, begin, end, complain }) {
      await pause(300, 1_000);
      begin();
      for (const name of random.pick([['api', 'worker'], ['worker', 'api'], ['api', 'api'], ['worker']])) {
        const index = random.int(0, 1);
        const child = name === 'api' ? bed.apis[index]?.child : bed.workers[0];
        if (child !== undefined) await hurry(child, complain);
        await pause(100, 1_500);
        if (name === 'api') bed.apis[index] = await bed.startApi(index);
        else bed.workers[0] = await bed.startWorker();
        await pause(0, 800);
      }
      end();
    },
  },
];

import type { CrashPoint } from '../../config/crash-points.ts';
import type { Child } from '../../dev/services/child.ts';
import type { Bed } from './bed.ts';
import type { FaultContext } from './scenario.ts';

/** A process that is never killed at its point within this leaves a run that proves nothing. */
export const PATIENCE_MS = 30_000;

/** A process that was started to kill itself at a crash point. */
export interface Crash {
  /** It is gone, or was given up. */
  over(): boolean;
  /**
   * Waits until it is dead at its point, which begins the outage, and leaves it dead for a while. A process that goes on and
   * on is stopped instead: then the outage never begins, and the run is void.
   */
  happens(): Promise<void>;
  /** Starts it again, without the crash point, which ends the outage. */
  restart(): Promise<void>;
}

/** Replaces one of the bed's processes, in good order, by one that kills itself at the `pass`th time it reaches the point. */
export async function arm(
  { bed, random, pause, begin, end, complain }: FaultContext,
  role: 'api' | 'worker',
  point: CrashPoint,
  pass: number,
): Promise<Crash> {
  const start = role === 'api' ? replaceApi(bed, random.int(0, 1)) : replaceWorker(bed);
  const child = await start({ HOLDFAST_CRASH_POINT: `${point}:${pass}` });
  const lastAt = performance.now() + PATIENCE_MS;
  let crashed = false;
  return {
    over: () => !child.running() || performance.now() >= lastAt,
    async happens() {
      const late = setTimeout(() => void child.stop(), lastAt - performance.now());
      const how = await child.exited;
      clearTimeout(late);
      const inTime = performance.now() < lastAt;
      crashed = inTime && how === 'signal SIGKILL';
      if (crashed) begin();
      else if (inTime) complain(`${child.name} ended with ${how} before ${point}`);
      await pause(300, 2_500);
    },
    async restart() {
      await start({});
      if (crashed) end();
    },
  };
}

type Start = (extra: Readonly<Record<string, string>>) => Promise<Child>;

function replaceApi(bed: Bed, index: number): Start {
  return async (extra) => {
    await bed.apis[index]?.child.stop();
    const api = await bed.startApi(index, extra);
    bed.apis[index] = api;
    return api.child;
  };
}

function replaceWorker(bed: Bed): Start {
  return async (extra) => {
    await bed.workers[0]?.stop();
    const worker = await bed.startWorker(extra);
    bed.workers[0] = worker;
    return worker;
  };
}

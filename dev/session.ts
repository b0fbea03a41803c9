import { describeError, Problem, type Progress } from './problem.ts';
import type { Child } from './services/child.ts';

/** What runs in the foreground until Ctrl-C: children in the order of their start, stopped in the reverse order. */
export interface Session {
  readonly progress: Progress;
  /** Takes charge of a child: stopped at the end; should it end by itself, everything is stopped. */
  keep(child: Child): void;
  /** Does this at the end, after all children were stopped. */
  atEnd(step: () => void): void;
  readonly children: readonly Child[];
}

/**
 * Runs `start`, then waits for Ctrl-C (or SIGTERM, or the end of the terminal), stops everything, and exits the
 * process: with 0 when it was asked to stop, with 1 when the start failed or a child ended by itself. A second Ctrl-C
 * kills what has not stopped yet.
 */
export async function inForeground(start: (session: Session) => Promise<void>): Promise<never> {
  const children: Child[] = [];
  const steps: (() => void)[] = [];
  const progress: Progress = (line) => process.stdout.write(`${line}\n`);
  let stopping: Promise<never> | undefined;

  const end = (code: number): Promise<never> => {
    stopping ??= (async () => {
      for (const child of [...children].reverse()) {
        if (child.running()) progress(`stopping ${child.name}`);
        await child.stop();
      }
      for (const step of steps) step();
      process.exit(code);
    })();
    return stopping;
  };
  const fail = (message: string): Promise<never> => {
    if (!stopping) process.stderr.write(`${message}\n`);
    return end(1);
  };

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    let first = 0;
    process.on(signal, () => {
      if (!stopping) {
        first = performance.now();
        progress('');
        void end(0);
        // npm passes on the Ctrl-C that the terminal has sent us already.
      } else if (performance.now() - first > 1_000) {
        for (const child of children) void child.kill();
      }
    });
  }

  const session: Session = {
    progress,
    children,
    atEnd: (step) => void steps.push(step),
    keep(child) {
      children.push(child);
      if (stopping) void child.stop();
      void child.exited.then((how) =>
        stopping
          ? undefined
          : fail(`${child.name} has ended (${how}); stopping.\n${child.lastOutput()}`.trim()),
      );
    },
  };
  try {
    await start(session);
  } catch (error) {
    return fail(describeError(error));
  }
  return new Promise<never>(() => {});
}

/** @throws Problem with all the reasons, once everything has come to an end, when one of these failed. */
export async function allOrProblem<T extends readonly unknown[]>(
  work: readonly [...{ [K in keyof T]: Promise<T[K]> }],
): Promise<T> {
  const results = await Promise.allSettled(work);
  const reasons = results.flatMap((one) => (one.status === 'rejected' ? [one.reason as Error] : []));
  if (reasons.length > 0) throw new Problem(reasons.map(describeError).join('\n'));
  return results.map((one) => (one as PromiseFulfilledResult<unknown>).value) as unknown as T;
}

import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Problem, type Progress } from './problem.ts';
import type { Child } from './services/child.ts';
import { until } from './until.ts';

/** Process id and when it began: together they name one process for good. */
interface Recorded {
  readonly name: string;
  readonly pid: number;
  readonly began: string;
}

function beginOf(pid: number): string {
  try {
    // The name in parentheses may hold anything; the begin is the 20th field after it.
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[19] ?? '';
  } catch {
    if (process.platform === 'linux') return '';
  }
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return '';
  }
}

interface FormerRun {
  /** The process that started them. */
  readonly parent: Recorded;
  readonly children: readonly Recorded[];
}

function isAlive({ pid, began }: Recorded): boolean {
  return began !== '' && beginOf(pid) === began;
}

/** Notes what we started, for the next run: should this one be killed, it shall not meet its servers still at work. */
export function recordChildren(file: string, children: readonly Child[]): void {
  const recorded = (name: string, pid: number): Recorded => ({ name, pid, began: beginOf(pid) });
  const run: FormerRun = {
    parent: recorded('parent', process.pid),
    children: children.map(({ name, pid }) => recorded(name, pid)),
  };
  writeFileSync(file, JSON.stringify(run));
}

/** Everything was stopped in good order. */
export function forgetChildren(file: string): void {
  rmSync(file, { force: true });
}

/**
 * After a run that was killed: waits until its servers have ended (its guard sees to that), and kills what is left
 * after 15 seconds, so that no two servers ever work on the same data.
 * @throws Problem when that run is still alive.
 */
export async function untilFormerRunIsGone(file: string, progress: Progress): Promise<void> {
  let run: FormerRun;
  try {
    run = JSON.parse(readFileSync(file, 'utf8')) as FormerRun;
  } catch {
    return;
  }
  if (isAlive(run.parent))
    throw new Problem(`The services of this clone run already (process ${run.parent.pid}).`);
  const left = () => run.children.filter(isAlive);
  if (left().length > 0) {
    const names = left().map(({ name }) => name);
    progress(`waiting for the end of a former run: ${names.join(', ')}`);
  }
  await until(() => left().length === 0, { timeoutMs: 15_000, everyMs: 200, what: 'their end' }).catch(() => {
    for (const { pid } of left()) process.kill(pid, 'SIGKILL');
  });
  forgetChildren(file);
}

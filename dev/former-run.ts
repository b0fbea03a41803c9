import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Progress } from './problem.ts';
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

/** Notes what we started, for the next run: should this one be killed, it shall not meet its servers still at work. */
export function recordChildren(file: string, children: readonly Child[]): void {
  const records = children.map(({ name, pid }): Recorded => ({ name, pid, began: beginOf(pid) }));
  writeFileSync(file, JSON.stringify(records));
}

/** Everything was stopped in good order. */
export function forgetChildren(file: string): void {
  rmSync(file, { force: true });
}

/**
 * After a run that was killed: waits until its servers have ended (its guard sees to that), and kills what is left
 * after 15 seconds, so that no two servers ever work on the same data.
 */
export async function untilFormerRunIsGone(file: string, progress: Progress): Promise<void> {
  let records: readonly Recorded[];
  try {
    records = JSON.parse(readFileSync(file, 'utf8')) as Recorded[];
  } catch {
    return;
  }
  const left = () => records.filter(({ pid, began }) => began !== '' && beginOf(pid) === began);
  if (left().length > 0)
    progress(
      `waiting for the end of a former run: ${left()
        .map(({ name }) => name)
        .join(', ')}`,
    );
  await until(() => left().length === 0, { timeoutMs: 15_000, everyMs: 200, what: 'their end' }).catch(() => {
    for (const { pid } of left()) process.kill(pid, 'SIGKILL');
  });
  forgetChildren(file);
}

import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { arch, availableParallelism, release, totalmem, type } from 'node:os';
import { ROOT } from '../../dev/clone.ts';
import { run } from '../../dev/services/programs.ts';
import type { ServerVersions } from '../../dev/services/server-versions.ts';
import type { RunResult } from './run-scenario.ts';

/** What a session of runs ran, and on what. */
export interface Session {
  /** Of `dist/`. */
  readonly build: string;
  /** Where the clone is one of git's. */
  readonly commit?: string;
  readonly machine: string;
  readonly versions: ServerVersions & { readonly node: string };
}

/** A line of `results.jsonl`. */
export interface Recorded extends RunResult {
  readonly session: Session;
  /** When the run ended, RFC 3339. */
  readonly at: string;
}

/** Describes this machine and this clone. */
export async function describeSession(build: string, versions: ServerVersions): Promise<Session> {
  const git = (...args: string[]) => run('git', args, { cwd: ROOT }).catch(() => undefined);
  const head = await git('rev-parse', '--short', 'HEAD');
  const changed = await git('status', '--porcelain', '--untracked-files=no');
  const gib = (totalmem() / 2 ** 30).toFixed(0);
  return {
    build,
    ...(head === undefined ? {} : { commit: changed === '' ? head : `${head} with changes` }),
    machine: `${availableParallelism()} cores, ${gib} GiB of memory, ${type()} ${release()} (${arch()})`,
    versions: { node: process.versions.node, ...versions },
  };
}

/** Adds a result. One write at the end of the file: those of sessions side by side do not mix. */
export function record(file: string, result: Recorded): void {
  appendFileSync(file, `${JSON.stringify(result)}\n`);
}

/** What sessions of this build have recorded, in that order. */
export function readResults(file: string, build: string): readonly Recorded[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Recorded)
    .filter(({ session }) => session?.build === build);
}

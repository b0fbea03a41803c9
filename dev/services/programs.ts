import { execFile } from 'node:child_process';
import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Problem } from '../problem.ts';
import type { Owner } from './owner.ts';

/** Every place where a program of this name lies on PATH, in its order. */
export function onPath(name: string): string[] {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return [...new Set(folders.map((folder) => join(folder, name)))].filter(isExecutable);
}

/** Whether this is a file that we may run. */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** The path with symbolic links followed. */
export function real(path: string): string {
  return realpathSync(path);
}

export interface RunOptions {
  readonly owner?: Owner | undefined;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Milliseconds; default 10,000. Past it the program is killed. */
  readonly timeoutMs?: number;
}

/**
 * Runs a program to its end and returns what it wrote to both outputs.
 * @throws Problem with the end of that text when it failed, was killed, or could not be started.
 */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { owner, cwd = '/', env, timeoutMs = 10_000 } = options;
  return new Promise((resolve, reject) => {
    execFile(
      command,
      args,
      {
        ...owner,
        cwd,
        env: env ?? process.env,
        timeout: timeoutMs,
        killSignal: 'SIGKILL',
        maxBuffer: 64 * 1024 * 1024,
      },
      (error, stdout, stderr) => {
        const text = `${stdout}${stderr}`.trim();
        if (!error) return resolve(text);
        const why = error.killed ? `took longer than ${timeoutMs} ms` : lastLines(text) || error.message;
        reject(new Problem(`${command}: ${why}`));
      },
    );
  });
}

function lastLines(text: string): string {
  return text.split('\n').slice(-3).join(' | ');
}

/** Runs `program --version` and takes the first `major.minor` out of the answer; undefined when it does not run. */
export async function versionOf(
  program: string,
  pattern: RegExp,
  owner?: Owner,
): Promise<{ major: number; minor: number } | undefined> {
  try {
    const match = pattern.exec(await run(program, ['--version'], { owner }));
    return match ? { major: Number(match[1]), minor: Number(match[2] ?? 0) } : undefined;
  } catch {
    return undefined;
  }
}

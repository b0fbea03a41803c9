import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Problem } from '../problem.ts';
import { guardChild, unguardChild } from './guard.ts';
import type { Owner } from './owner.ts';

export interface ChildOptions {
  /** For messages: "Redis", "API". */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Run as this user; only root may. */
  readonly owner?: Owner | undefined;
  /** What asks it to stop in good order. */
  readonly stopSignal?: 'SIGTERM' | 'SIGINT';
  /** How long it may take to stop before it is killed, in milliseconds. */
  readonly graceMs?: number;
  /** Where its output goes: a file, or line by line to a function. */
  readonly output: { readonly file: string } | { readonly line: (line: string) => void };
}

/** A process that we started and that must not outlive us. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  /** Resolves with "exit code 1" or "signal SIGKILL" once it is gone. Never rejects. */
  readonly exited: Promise<string>;
  running(): boolean;
  /** Asks it to stop, kills it after the grace period, and waits until it is gone. Harmless when repeated. */
  stop(): Promise<void>;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
  /** The end of its log file, for an error message. */
  lastOutput(): string;
}

/**
 * Starts a process in its own session, so that Ctrl-C in the terminal reaches us only, and we stop things in order.
 * @throws Error when the program cannot be started at all.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { name, command, args, cwd, env, owner, output, stopSignal = 'SIGTERM', graceMs = 10_000 } = options;
  const log = 'file' in output ? openSync(output.file, 'a') : undefined;
  const child = spawn(command, args, {
    cwd,
    env: env ?? process.env,
    detached: true,
    stdio: log === undefined ? ['ignore', 'pipe', 'pipe'] : ['ignore', log, log],
    ...owner,
  });
  const exited = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => {
      if (child.pid !== undefined) unguardChild(child.pid);
      resolve(signal === null ? `exit code ${code}` : `signal ${signal}`);
    });
  });
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) => reject(new Problem(`${name}: ${command}: ${error.message}`)));
    });
  } finally {
    if (log !== undefined) closeSync(log);
  }
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${name}: ${command} did not start`);
  if (child.exitCode === null && child.signalCode === null) guardChild(pid, stopSignal);
  if ('line' in output) {
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', output.line);
    }
  }

  const running = () => child.exitCode === null && child.signalCode === null;
  return {
    name,
    pid,
    exited,
    running,
    async stop() {
      if (running()) child.kill(stopSignal);
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await exited;
      clearTimeout(timer);
    },
    async kill() {
      if (running()) child.kill('SIGKILL');
      await exited;
    },
    lastOutput: () => ('file' in output ? tail(output.file) : ''),
  };
}

/**
 * Runs `ready` against a child that was just started, until it passes; when the child ends first, or never becomes
 * ready, it is killed, and the error carries the end of its output.
 */
export async function untilReady(child: Child, ready: Promise<unknown>): Promise<void> {
  const died = child.exited.then((how) => {
    throw new Error(`ended at once (${how})`);
  });
  try {
    await Promise.race([ready, died]);
  } catch (error) {
    await child.kill();
    throw new Problem(
      `${child.name} did not start: ${(error as Error).message}\n${child.lastOutput()}`.trim(),
    );
  } finally {
    ready.catch(() => {});
    died.catch(() => {});
  }
}

function tail(file: string): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-12).join('\n');
  } catch {
    return '';
  }
}

// @ts-check
import { spawnSync } from 'node:child_process';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** What tells a process from a later one with the same id: when it began. @param {number} pid */
function beginOf(pid) {
  try {
    // The name in parentheses may hold anything; the begin is the 20th field after it.
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[19] ?? '';
  } catch {
    const ps = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' });
    return (ps.stdout ?? '').trim();
  }
}

/** @param {string} holder what a lock file holds: process id and begin */
function alive(holder) {
  const [pid = '', begin = ''] = holder.split('\n');
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EPERM') return false;
  }
  return beginOf(Number(pid)) === begin;
}

/**
 * Tries to take the lock, a file that names this process; false when another live process has it. A dead process's
 * lock is removed, and the next try takes it.
 * @param {string} path
 */
function take(path) {
  const own = `${path}.${process.pid}`;
  mkdirSync(dirname(path), { recursive: true });
  // A link appears with its content, so nobody ever reads an empty lock.
  writeFileSync(own, `${process.pid}\n${beginOf(process.pid)}`);
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
  } finally {
    rmSync(own, { force: true });
  }
  try {
    if (alive(readFileSync(path, 'utf8'))) return false;
    // Of two processes that see the dead one's lock, one gets to move it away.
    renameSync(path, own);
    if (alive(readFileSync(own, 'utf8'))) linkSync(own, path);
    rmSync(own, { force: true });
  } catch {
    // Released, or moved away, in between.
  }
  return false;
}

/**
 * Runs `work` while no other process of this clone does the same; waits for it, and says so once.
 * @template T
 * @param {{ path: string, what: string }} options
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock({ path, what }, work) {
  const begin = Date.now();
  for (let said = false; !take(path); ) {
    if (!said && Date.now() - begin > 1_000) {
      console.log(`waiting for another process that is ${what}`);
      said = true;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}

/**
 * Holds the lock until this process ends.
 * @param {string} path
 * @returns {number | undefined} the process id of the one that has it, when that is not us
 */
export function holdLock(path) {
  for (let tries = 0; tries < 3; tries += 1) {
    if (take(path)) {
      process.once('exit', () => rmSync(path, { force: true }));
      return undefined;
    }
  }
  return Number(readFileSync(path, 'utf8').split('\n')[0]);
}

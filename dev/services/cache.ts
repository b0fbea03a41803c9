import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir, platform } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { guardFolder, unguardFolder } from './guard.ts';

/** Where downloads are kept between clones: a folder of this user. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.XDG_CACHE_HOME && isAbsolute(env.XDG_CACHE_HOME)) return join(env.XDG_CACHE_HOME, 'holdfast');
  if (platform() === 'darwin') return join(homedir(), 'Library', 'Caches', 'holdfast');
  return join(homedir(), '.cache', 'holdfast');
}

/**
 * The folder `target`, made once: `make` fills a temporary folder beside it, which then takes the name in one step.
 * Two processes at once may both do the work; one result stays, and nobody ever sees half of it.
 */
export async function cachedFolder(target: string, make: (folder: string) => Promise<void>): Promise<string> {
  if (existsSync(target)) return target;
  await mkdir(dirname(target), { recursive: true, mode: 0o755 });
  const temporary = await mkdtemp(`${target}.`);
  guardFolder(temporary);
  try {
    await make(temporary);
    await rename(temporary, target);
  } catch (error) {
    if (!existsSync(target)) throw error;
  } finally {
    await rm(temporary, { recursive: true, force: true });
    unguardFolder(temporary);
  }
  return target;
}

/** The SHA-256 of a file, in hex. */
export async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** @throws Error when the file's content is not the one with this SHA-256. */
export async function verify(path: string, expected: string): Promise<void> {
  const actual = await sha256(path);
  if (actual !== expected) {
    throw new Error(`${path}: SHA-256 is ${actual}, not ${expected}: not used`);
  }
}

import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readlinkSync, realpathSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { firstEnterable, type Owner } from './services/owner.ts';

/** The clone that this file, or its compiled copy, lies in. */
export const ROOT = above(dirname(fileURLToPath(import.meta.url)));

function above(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder;
  if (dirname(folder) === folder) throw new Error('not inside a clone of Holdfast');
  return above(dirname(folder));
}

/** Where the data of `npm run dev` survive: `.holdfast` in the clone. Made when missing. */
export function stateFolder(): string {
  const folder = join(ROOT, '.holdfast');
  mkdirSync(folder, { recursive: true });
  return folder;
}

/**
 * Where PostgreSQL's data, password and log are kept: `.holdfast/postgres`. When it runs as another user (as root it
 * must), that is a link to a folder outside, for a clone may lie where only root may enter.
 */
export function postgresFolder(owner: Owner | undefined): string {
  const folder = join(stateFolder(), 'postgres');
  // Real paths: the other user may not be able to follow the link.
  if (existsSync(folder)) return realpathSync(folder);
  if (owner === undefined) return folder;
  const stale = linkTarget(folder);
  const parent = firstEnterable(['/var/lib/holdfast', '/var/tmp/holdfast'], owner);
  const clone = createHash('sha256').update(ROOT).digest('hex').slice(0, 12);
  const target = stale ?? join(parent, `${basename(ROOT)}-${clone}-${randomBytes(3).toString('hex')}`);
  mkdirSync(target, { recursive: true, mode: 0o711 });
  if (stale === undefined) symlinkSync(target, folder);
  return target;
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

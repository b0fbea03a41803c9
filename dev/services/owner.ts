import { execFileSync } from 'node:child_process';
import { chownSync, lstatSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { Problem } from '../problem.ts';

/** Whom a program runs as. PostgreSQL refuses to run as root. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

function idOf(user: string): Owner | undefined {
  try {
    const id = (flag: string) =>
      Number(execFileSync('id', [flag, user], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
    const owner = { uid: id('-u'), gid: id('-g') };
    return Number.isInteger(owner.uid) && owner.uid > 0 ? owner : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The user PostgreSQL shall run as when we are root, an existing one without privileges; else undefined: as ourselves.
 * @throws Problem as root on a system that has neither of these users.
 */
export function postgresOwner(): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const owner = idOf('postgres') ?? idOf('_postgres') ?? idOf('nobody');
  if (owner) return owner;
  throw new Problem(
    'PostgreSQL does not run as root, and there is no user "postgres" or "nobody" to run it as: create one (useradd postgres), start this as another user, or set DATABASE_URL.',
  );
}

/** Whether that user may walk down to this existing folder. */
function mayEnter(path: string, owner: Owner | undefined): boolean {
  if (owner === undefined) return true;
  for (let folder = path; ; folder = dirname(folder)) {
    let stat: ReturnType<typeof statSync>;
    try {
      stat = statSync(folder);
    } catch {
      return false;
    }
    const bit = stat.uid === owner.uid ? 0o100 : stat.gid === owner.gid ? 0o010 : 0o001;
    if ((stat.mode & bit) === 0) return false;
    if (dirname(folder) === folder) return true;
  }
}

/** The first of these folders that exists or can be made, and that the owner may enter; made with mode 755. */
export function firstEnterable(folders: readonly string[], owner: Owner | undefined): string {
  for (const folder of folders) {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o755 });
    } catch {
      continue;
    }
    if (mayEnter(folder, owner)) return folder;
  }
  throw new Problem(`PostgreSQL needs a folder that it may enter; tried ${folders.join(', ')}.`);
}

/** Makes a private folder (mode 700) of that owner. A symbolic link in its place is refused. */
export function makeOwnedFolder(path: string, owner: Owner | undefined): void {
  mkdirSync(dirname(path), { recursive: true });
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if (lstatSync(path).isSymbolicLink()) throw new Problem(`${path} is a symbolic link.`);
  if (owner) chownSync(path, owner.uid, owner.gid);
}

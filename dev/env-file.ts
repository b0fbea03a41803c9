import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stateFolder } from './clone.ts';
import type { Session } from './session.ts';

/** Writes `.holdfast/env` as KEY=VALUE lines, readable by this user only (a password is inside); gone at the end. */
export function writeEnvFile(session: Session, values: Readonly<Record<string, string>>): void {
  const file = join(stateFolder(), 'env');
  const lines = Object.entries(values).map(([key, value]) => `${key}=${value}\n`);
  writeFileSync(`${file}.new`, lines.join(''), { mode: 0o600 });
  renameSync(`${file}.new`, file);
  session.atEnd(() => rmSync(file, { force: true }));
}

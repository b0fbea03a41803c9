import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';
import { query } from '../../dev/services/postgres.ts';
import { registerNamespace } from '../../dev/services/temporal.ts';
import { findTimeSkippingServer } from '../../dev/services/temporal-programs.ts';
import type { Provided } from './provided.ts';

/** What the global setup started; shared by all tests, so nobody flushes, stops or fills it up. */
export function services(): Provided {
  return inject('services');
}

/** A letter-and-digit name that no other test has. */
export function uniqueName(prefix: string): string {
  return `${prefix}_${randomBytes(6).toString('hex')}`;
}

/** A new folder that goes away at the end of the run. */
export function temporaryFolder(prefix: string): string {
  return mkdtempSync(join(services().folder, `${prefix}-`));
}

export interface TestDatabase {
  readonly url: string;
  /** Ends its sessions and drops it. */
  drop(): Promise<void>;
}

/** A fresh, empty database in the shared PostgreSQL. Migrating it is up to the caller. */
export async function createDatabase(): Promise<TestDatabase> {
  const admin = services().databaseUrl;
  const name = uniqueName('test');
  await query(admin, `CREATE DATABASE "${name}"`);
  const url = new URL(admin);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    drop: async () => {
      await query(admin, `DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
    },
  };
}

/** A namespace of its own, with search attributes unless `bare`, in the shared Temporal server, where the fixed workflow ids clash with nobody's. */
export async function createNamespace(options: { readonly bare?: boolean } = {}): Promise<string> {
  const name = uniqueName('test').replace('_', '-');
  await registerNamespace(services().temporalAddress, name, options);
  return name;
}

let timeSkipping: Promise<string> | undefined;

/** The path of Temporal's time-skipping test server, fetched when first asked for. */
export function timeSkippingServer(): Promise<string> {
  timeSkipping ??= findTimeSkippingServer((line) => process.stdout.write(`${line}\n`));
  return timeSkipping;
}

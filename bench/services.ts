import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Progress } from '../dev/problem.ts';
import type { Child } from '../dev/services/child.ts';
import { guardFolder, unguardFolder } from '../dev/services/guard.ts';
import { firstEnterable, postgresOwner } from '../dev/services/owner.ts';
import { onFreePort } from '../dev/services/ports.ts';
import { ensureDatabase, type PostgresServer, query, startPostgresServer } from '../dev/services/postgres.ts';
import { findPostgres } from '../dev/services/postgres-programs.ts';
import { findRedis, startRedisServer } from '../dev/services/redis.ts';
import { serverVersions } from '../dev/services/server-versions.ts';
import { registerNamespace, startTemporalServer } from '../dev/services/temporal.ts';
import { findTemporal } from '../dev/services/temporal-programs.ts';
import { allOrProblem } from '../dev/session.ts';
import { versionsInWords } from './versions.ts';

/** A server that was started, and the process to ask for its CPU time. */
export interface Address {
  readonly url: string;
  readonly pid: number;
}

/** The backing services of one run. Every system gets what it needs of them for itself, set up in the same way. */
export interface Services {
  readonly folder: string;
  readonly postgres: PostgresServer;
  readonly temporal: { readonly address: string; readonly pid: number; readonly databaseFile: string };
  /** "PostgreSQL 15.14" and so on, for the report. */
  readonly versions: readonly string[];
  /** A Redis of its own: append-only file, synced every second. */
  newRedis(name: string): Promise<Address>;
  newDatabase(name: string): Promise<Address>;
  newNamespace(name: string): Promise<string>;
  /** Takes charge of a process: it is stopped at the end, before the services. */
  keep(child: Child): void;
  stop(): Promise<void>;
}

/** Starts PostgreSQL, durable as it comes, and a Temporal dev server, on free ports in a temporary folder. */
export async function startServices(progress: Progress): Promise<Services> {
  const parent = firstEnterable([tmpdir(), '/tmp', '/var/tmp'], postgresOwner());
  const folder = mkdtempSync(join(parent, 'holdfast-bench-'));
  chmodSync(folder, 0o755);
  guardFolder(folder);
  const children: Child[] = [];
  const stop = async () => {
    for (const child of [...children].reverse()) await child.stop();
    rmSync(folder, { recursive: true, force: true });
    unguardFolder(folder);
  };
  try {
    const [redisProgram, postgres, temporal] = await allOrProblem([
      findRedis(progress),
      startPostgres(folder, progress, children),
      startTemporal(folder, progress, children),
    ] as const);
    // Every database made from now on has its view.
    await query(postgres.url('template1'), 'CREATE EXTENSION pg_stat_statements');
    return {
      folder,
      postgres,
      temporal: {
        address: temporal.address,
        pid: temporal.child.pid,
        databaseFile: temporal.databaseFile,
      },
      versions: versionsInWords(
        await serverVersions({
          redisProgram,
          postgresUrl: postgres.url('postgres'),
          temporalProgram: temporal.program,
        }),
      ),
      async newRedis(name) {
        const start = (port: number) =>
          startRedisServer({
            program: redisProgram,
            folder: join(folder, `redis-${name}`),
            port,
            appendOnly: true,
          });
        const { url, child } = await onFreePort(start);
        children.push(child);
        return { url, pid: child.pid };
      },
      async newDatabase(name) {
        await ensureDatabase(postgres, name);
        return { url: postgres.url(name), pid: postgres.child.pid };
      },
      async newNamespace(name) {
        await registerNamespace(temporal.address, name);
        return name;
      },
      keep: (child) => void children.push(child),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startPostgres(folder: string, progress: Progress, children: Child[]): Promise<PostgresServer> {
  const programs = await findPostgres(progress);
  const start = (port: number) =>
    startPostgresServer({
      programs,
      folder: join(folder, 'postgres'),
      stateFolder: join(folder, 'postgres-state'),
      port,
      durable: true,
      // It counts the rows that each system writes; all of them pay for that.
      settings: ['shared_preload_libraries=pg_stat_statements'],
      progress: () => {},
    });
  const server = await onFreePort(start);
  children.push(server.child);
  return server;
}

async function startTemporal(folder: string, progress: Progress, children: Child[]) {
  const program = await findTemporal(progress);
  const databaseFile = join(folder, 'temporal', 'temporal.db');
  const start = (port: number) =>
    startTemporalServer({
      program,
      databaseFile,
      logFile: join(folder, 'temporal.log'),
      port,
    });
  const server = await onFreePort(start);
  children.push(server.child);
  return { ...server, program, databaseFile };
}

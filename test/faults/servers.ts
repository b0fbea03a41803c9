import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { guardFolder, unguardFolder } from '../../dev/services/guard.ts';
import { firstEnterable, makeOwnedFolder, postgresOwner } from '../../dev/services/owner.ts';
import { onFreePort } from '../../dev/services/ports.ts';
import { type PostgresServer, query, startPostgresServer } from '../../dev/services/postgres.ts';
import { findPostgres } from '../../dev/services/postgres-programs.ts';
import { findRedis, type RedisServer, startRedisServer } from '../../dev/services/redis.ts';
import { type ServerVersions, serverVersions } from '../../dev/services/server-versions.ts';
import { registerNamespace, startTemporalServer, type TemporalServer } from '../../dev/services/temporal.ts';
import { findTemporal } from '../../dev/services/temporal-programs.ts';

/** A server that can be killed, frozen and started again at the same port with the same data. */
export interface Server {
  readonly port: number;
  /** Of the process that runs now. */
  readonly pid: number;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** In good order. */
  stop(): Promise<void>;
  /** After it was killed or stopped. */
  start(): Promise<void>;
}

/** PostgreSQL and Temporal of a whole session of runs, and a folder for everything they and the processes write. */
export interface Servers {
  readonly folder: string;
  readonly postgres: Server;
  readonly temporal: Server;
  readonly versions: ServerVersions;
  /** An empty database. @returns its address */
  createDatabase(): Promise<string>;
  /** An empty namespace. @returns its name */
  createNamespace(): Promise<string>;
  startRedis(
    name: string,
    options: { readonly appendOnly: boolean },
  ): Promise<Server & { readonly dir: string }>;
  /** Starts what a scenario that broke off has left dead. */
  mend(): Promise<void>;
  stop(): Promise<void>;
}

interface Starting {
  readonly child: { readonly pid: number; running(): boolean; kill(): Promise<void>; stop(): Promise<void> };
  readonly port: number;
}

async function restartable<T extends Starting>(start: (port: number) => Promise<T>) {
  let server = await onFreePort(start);
  return {
    current: () => server,
    port: server.port,
    get pid() {
      return server.child.pid;
    },
    kill: () => server.child.kill(),
    stop: () => server.child.stop(),
    async start() {
      server = await start(server.port);
    },
  };
}

/** Starts PostgreSQL and Temporal in a temporary folder. Should this process be killed, its guard ends them. */
export async function startServers(progress: (line: string) => void): Promise<Servers> {
  const parent = firstEnterable([tmpdir(), '/tmp', '/var/tmp'], postgresOwner());
  const folder = mkdtempSync(join(parent, 'holdfast-faults-'));
  chmodSync(folder, 0o755);
  guardFolder(folder);
  const [redisProgram, programs, temporalProgram] = [
    await findRedis(progress),
    await findPostgres(progress),
    await findTemporal(progress),
  ];
  const postgresFolder = join(folder, 'postgres');
  makeOwnedFolder(postgresFolder, programs.owner);
  const postgres = await restartable(
    (port): Promise<PostgresServer> =>
      startPostgresServer({
        programs,
        folder: join(postgresFolder, 'data'),
        stateFolder: postgresFolder,
        port,
        durable: false,
        progress: () => {},
      }),
  );
  const temporal = await restartable(
    (port): Promise<TemporalServer> =>
      startTemporalServer({
        program: temporalProgram,
        databaseFile: join(folder, 'temporal', 'temporal.db'),
        logFile: join(folder, 'temporal', 'temporal.log'),
        port,
      }),
  );
  const postgresUrl = postgres.current().url('postgres');
  const versions = await serverVersions({ redisProgram, postgresUrl, temporalProgram });
  const redises: Server[] = [];
  return {
    folder,
    postgres,
    temporal,
    versions,
    async createDatabase() {
      const name = `faults_${randomBytes(6).toString('hex')}`;
      await query(postgres.current().url('postgres'), `CREATE DATABASE "${name}"`);
      return postgres.current().url(name);
    },
    async createNamespace() {
      const name = `faults-${randomBytes(6).toString('hex')}`;
      await registerNamespace(temporal.current().address, name);
      return name;
    },
    async startRedis(name, { appendOnly }) {
      const dir = join(folder, name);
      mkdirSync(dir, { recursive: true });
      const redis = await restartable(
        (port): Promise<RedisServer> =>
          startRedisServer({
            program: redisProgram,
            folder: dir,
            port,
            appendOnly,
            settings: appendOnly ? ['--appendfsync', 'always'] : [],
          }),
      );
      redises.push(redis);
      return Object.assign(redis, { dir });
    },
    async mend() {
      for (const server of [postgres, temporal]) if (!server.current().child.running()) await server.start();
    },
    async stop() {
      await Promise.all([...redises, postgres, temporal].map((server) => server.stop()));
      rmSync(folder, { recursive: true, force: true });
      unguardFolder(folder);
    },
  };
}

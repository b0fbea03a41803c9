import { join } from 'node:path';
import { makeOwnedFolder } from '../../dev/services/owner.ts';
import { onFreePort } from '../../dev/services/ports.ts';
import { ensureDatabase, type PostgresServer, startPostgresServer } from '../../dev/services/postgres.ts';
import { findPostgres } from '../../dev/services/postgres-programs.ts';
import { temporaryFolder } from './services.ts';

export interface PostgresTestOptions {
  /** false (default): no fsync, which survives any crash of PostgreSQL, not of the machine. */
  readonly durable?: boolean;
  /** More `name=value` settings. */
  readonly settings?: readonly string[];
}

/** A PostgreSQL of one test's own, to be killed and started again on the same port with the same data. */
export interface PostgresTestServer {
  /** The address of its empty database `holdfast`, as superuser. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** SIGKILL of the postmaster; its processes end with it. */
  kill(): Promise<void>;
  /** Ends all sessions and stops it in good order. Harmless when it is not running. */
  stop(): Promise<void>;
  /** Starts it again; it must have been stopped or killed. */
  start(): Promise<void>;
  /** stop, then start. */
  restart(): Promise<void>;
}

/** Starts a private PostgreSQL. The test stops it; at the latest it ends with the test process. */
export async function startPostgres(options: PostgresTestOptions = {}): Promise<PostgresTestServer> {
  const { durable = false, settings = [] } = options;
  const programs = await findPostgres(() => {});
  const folder = temporaryFolder('postgres');
  makeOwnedFolder(folder, programs.owner);
  const start = (port: number) =>
    startPostgresServer({
      programs,
      folder: join(folder, 'data'),
      stateFolder: folder,
      port,
      durable,
      settings,
      progress: () => {},
    });
  let server: PostgresServer = await onFreePort(start);
  await ensureDatabase(server, 'holdfast');
  const again = async () => {
    server = await start(server.port);
  };
  return {
    url: server.url('holdfast'),
    port: server.port,
    get pid() {
      return server.child.pid;
    },
    kill: () => server.child.kill(),
    stop: () => server.child.stop(),
    start: again,
    async restart() {
      await server.child.stop();
      await again();
    },
  };
}

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { onFreePort } from '../../dev/services/ports.ts';
import { type RedisServer, startRedisServer } from '../../dev/services/redis.ts';
import { services, temporaryFolder } from './services.ts';

export interface RedisTestOptions {
  /** Keep an append-only file that is synced at every write. Default: nothing is kept. */
  readonly appendOnly?: boolean;
  /** More `--name value` settings, for example `['--maxmemory', '20mb']`. */
  readonly settings?: readonly string[];
}

/** A Redis of one test's own, to be killed, emptied and started again on the same port. */
export interface RedisTestServer {
  readonly url: string;
  readonly port: number;
  /** Of the running process; another one after a restart. */
  readonly pid: number;
  /** Its data folder: copy it while it is stopped to bring back an older data set later. */
  readonly dir: string;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Stops it in good order. Harmless when it is not running. */
  stop(): Promise<void>;
  /** Starts it again, killing it first when it runs; `keepData: false` removes what it had written. */
  restart(options?: { readonly keepData?: boolean }): Promise<void>;
}

/** Starts a private Redis. The test stops it; at the latest it ends with the test process. */
export async function startRedis(options: RedisTestOptions = {}): Promise<RedisTestServer> {
  const { appendOnly = false, settings = [] } = options;
  const dir = temporaryFolder('redis');
  const start = (port: number) =>
    startRedisServer({
      program: services().redisProgram,
      folder: dir,
      port,
      appendOnly,
      settings: [...(appendOnly ? ['--appendfsync', 'always'] : []), ...settings],
    });
  let server: RedisServer = await onFreePort(start);
  return {
    url: server.url,
    port: server.port,
    dir,
    get pid() {
      return server.child.pid;
    },
    kill: () => server.child.kill(),
    stop: () => server.child.stop(),
    async restart({ keepData = true } = {}) {
      await server.child.kill();
      if (!keepData) {
        for (const file of ['appendonlydir', 'dump.rdb'])
          rmSync(join(dir, file), { recursive: true, force: true });
      }
      server = await start(server.port);
    },
  };
}

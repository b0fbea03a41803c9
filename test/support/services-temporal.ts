import { join } from 'node:path';
import { freePort, onFreePort } from '../../dev/services/ports.ts';
import { startTemporalServer, type TemporalServer } from '../../dev/services/temporal.ts';
import { services, temporaryFolder } from './services.ts';

export interface TemporalTestOptions {
  /** More arguments of `temporal server start-dev`, for example `['--search-attribute', 'A=Keyword']`. */
  readonly args?: readonly string[];
  /** With its Web UI, on a port of its own. Default: without. */
  readonly webUi?: boolean;
}

/** A Temporal dev server of one test's own, to be stopped and started again on the same port with the same data. */
export interface TemporalTestServer {
  readonly address: string;
  /** Of the Web UI; empty without one. */
  readonly uiUrl: string;
  readonly port: number;
  readonly pid: number;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Stops it in good order. Harmless when it is not running. */
  stop(): Promise<void>;
  /** Starts it again; it must have been stopped or killed. */
  start(): Promise<void>;
  /** stop, then start. */
  restart(): Promise<void>;
}

/** Starts a private Temporal dev server. The test stops it; at the latest it ends with the test process. */
export async function startTemporal(options: TemporalTestOptions = {}): Promise<TemporalTestServer> {
  const folder = temporaryFolder('temporal');
  const uiPort = options.webUi ? await freePort() : undefined;
  const start = (port: number) =>
    startTemporalServer({
      program: services().temporalCli,
      databaseFile: join(folder, 'temporal.db'),
      logFile: join(folder, 'temporal.log'),
      port,
      ...(uiPort === undefined ? {} : { uiPort }),
      args: options.args ?? [],
    });
  let server: TemporalServer = await onFreePort(start);
  const again = async () => {
    server = await start(server.port);
  };
  return {
    address: server.address,
    uiUrl: uiPort === undefined ? '' : `http://127.0.0.1:${uiPort}`,
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

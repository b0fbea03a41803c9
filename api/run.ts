import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Environment } from '../config/environment.ts';
import { isLoopback } from '../config/exposure.ts';
import type { ApiKey } from '../config/keys.ts';
import { SettingsError } from '../config/problem.ts';
import type { Holdfast } from '../service/holdfast.ts';
import type { HttpMetrics } from '../telemetry/metrics.ts';
import type { Tracing } from '../telemetry/tracing.ts';
import { createApiServer, endConnections, stopServer } from './server.ts';

/** With the delay before them below the 10 s that supervisors commonly wait between the first signal and the last, in ms. */
const FINISH_REQUESTS_MS = 5_000;
const CLOSE_SERVICE_MS = 3_000;
/** Kept back from it, where there is tracing, for whoever stops that afterwards, so that the whole takes no longer. */
const SEND_TRACES_MS = 1_000;

export interface RunningApi {
  /** `http://127.0.0.1:8080` */
  readonly url: string;
  /**
   * Turns `/readyz` to 503 and ends each connection with its next answer; after SHUTDOWN_DELAY_MS takes no new connections,
   * finishes the requests under way, flushes what is staged and closes all connections. Takes at most 8 s after the delay; with
   * tracing 7 s, and the second until then is for sending the last traces.
   */
  stop(): Promise<void>;
}

export interface RunApiDeps {
  readonly environment: Environment;
  /** Closed by `stop`, and where the server cannot listen. */
  readonly holdfast: Holdfast;
  /** Those of the configuration file. */
  readonly keys: readonly ApiKey[];
  readonly metrics: HttpMetrics;
  readonly tracing?: Tracing | undefined;
  readonly log: Logger;
}

/**
 * Listens on HOST and PORT.
 * @throws SettingsError where that address cannot be had.
 */
export async function runApi({
  environment,
  holdfast,
  keys,
  metrics,
  tracing,
  log,
}: RunApiDeps): Promise<RunningApi> {
  const { HOST, PORT } = environment;
  const stopping = new AbortController();
  const server = createApiServer({
    holdfast,
    keys,
    limits: environment,
    settings: environment,
    metrics,
    tracing,
    log,
    stopping: stopping.signal,
  });
  try {
    server.listen(PORT, HOST);
    await once(server, 'listening');
  } catch (error) {
    await holdfast.close(performance.now() + CLOSE_SERVICE_MS);
    throw new SettingsError([cannotListen(HOST, PORT, error as NodeJS.ErrnoException)]);
  }
  const { port } = server.address() as AddressInfo;
  const url = `http://${HOST.includes(':') ? `[${HOST}]` : HOST}:${port}`;
  log.info({ url }, `listening on ${url}`);
  sayWhoMayUseIt(log, HOST, keys);
  return {
    url,
    async stop() {
      stopping.abort();
      endConnections(server);
      await sleep(environment.SHUTDOWN_DELAY_MS);
      await stopServer(server, FINISH_REQUESTS_MS);
      const closeMs = tracing === undefined ? CLOSE_SERVICE_MS : CLOSE_SERVICE_MS - SEND_TRACES_MS;
      await holdfast.close(performance.now() + closeMs);
    },
  };
}

function cannotListen(host: string, port: number, error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `PORT: ${port} on ${host} is in use by another program; stop that one or set another PORT`;
    case 'EACCES':
      return `PORT: this user may not listen on ${port}; ports from 1024 up need no privilege`;
    default:
      return `HOST: cannot listen on ${host}:${port}: ${error.message}`;
  }
}

function sayWhoMayUseIt(log: Logger, host: string, keys: readonly ApiKey[]): void {
  if (keys.length > 0) {
    log.info(
      { keys: keys.map(({ name }) => name) },
      'requests need one of the API keys of the configuration file',
    );
  } else if (isLoopback(host)) {
    log.info(
      'no API key is configured: only this machine can reach it, and everybody on it may do everything',
    );
  } else {
    log.warn(
      'no API key is configured, and ALLOW_ANONYMOUS is set: whoever reaches this port may do everything. Keep it behind something that knows who comes',
    );
  }
}

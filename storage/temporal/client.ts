import { hostname } from 'node:os';
import { Client, Connection, makeGrpcRetryInterceptor } from '@temporalio/client';
import type { Environment } from '../../config/environment.ts';
import { connectionSettings } from './connection-settings.ts';

/** The one connection of a process to Temporal. */
export interface Temporal {
  readonly client: Client;
  readonly taskQueue: string;
  close(): Promise<void>;
}

/** gRPC status codes (grpc.io: "Status codes and their use"). */
const UNAVAILABLE = 14;
const ABORTED = 10;

/** A call is repeated twice at most; its deadline bounds the whole. */
const MAX_ATTEMPTS = 3;

/**
 * Only what says "not now" of the connection or the shard. Not "resource exhausted": a full query buffer is answered by
 * reading the history, and a rate limit is not mended by more calls. A repeated start carries the same request id, which
 * the server recognises.
 */
const retryInterceptor = makeGrpcRetryInterceptor({
  retryableDecider: (attempt, { code }) =>
    attempt < MAX_ATTEMPTS && (code === UNAVAILABLE || code === ABORTED),
  delayFunction: (attempt) => 50 * 2 ** attempt * (0.5 + Math.random()),
});

/**
 * Connects when first used, so that a process starts while Temporal is down, and reconnects by itself. Never throws for
 * an unreachable server; the calls do.
 * @throws SettingsError where the TLS or API key variables cannot be used.
 */
export function connectTemporal({ environment }: { readonly environment: Environment }): Temporal {
  const connection = Connection.lazy({
    ...connectionSettings(environment),
    interceptors: [retryInterceptor],
    channelArgs: {
      // The defaults wait up to two minutes before they look again whether a server came back.
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.min_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 2_000,
    },
  });
  const client = new Client({
    connection,
    namespace: environment.TEMPORAL_NAMESPACE,
    identity: `holdfast-api ${process.pid}@${hostname()}`,
    // What a closed batch holds is read from its history, never computed by replaying it.
    workflow: { queryRejectCondition: 'NOT_OPEN' },
  });
  return { client, taskQueue: environment.TEMPORAL_TASK_QUEUE, close: () => connection.close() };
}

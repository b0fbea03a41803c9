import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Client,
  Connection,
  makeGrpcRetryInterceptor,
  type WorkflowClientInterceptor,
} from '@temporalio/client';
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

/** Timers are a little early or late. */
const TIMER_SLACK_MS = 10;

/**
 * Repeats only what says "not now" of the connection or the shard. Not "resource exhausted": a full query buffer is
 * answered by reading the history, and a rate limit is not mended by more calls. A repeated start carries the same request
 * id, which the server recognises.
 */
function repeating() {
  let ending = false;
  let lastDueAt = 0;
  const interceptor = makeGrpcRetryInterceptor({
    retryableDecider: (attempt, { code }) =>
      !ending && attempt < MAX_ATTEMPTS && (code === UNAVAILABLE || code === ABORTED),
    delayFunction: (attempt) => {
      const delay = 50 * 2 ** attempt * (0.5 + Math.random());
      lastDueAt = Math.max(lastDueAt, performance.now() + delay);
      return delay;
    },
  });
  /** Decides on no more repetitions, and waits for those that are due: on a closed connection they throw in a timer, which ends the process. */
  const end = async () => {
    ending = true;
    const wait = lastDueAt - performance.now();
    if (wait > 0) await sleep(wait + TIMER_SLACK_MS);
  };
  return { interceptor, end };
}

/**
 * Connects when first used, so that a process starts while Temporal is down, and reconnects by itself. Never throws for
 * an unreachable server; the calls do.
 * @throws SettingsError where the TLS or API key variables cannot be used.
 */
export function connectTemporal({
  environment,
  name = 'holdfast-api',
  interceptor,
}: {
  readonly environment: Environment;
  /** Shown by Temporal beside what this process did. */
  readonly name?: string;
  readonly interceptor?: WorkflowClientInterceptor | undefined;
}): Temporal {
  const repeats = repeating();
  const connection = Connection.lazy({
    ...connectionSettings(environment),
    interceptors: [repeats.interceptor],
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
    identity: `${name} ${process.pid}@${hostname()}`,
    // What a closed batch holds is read from its history, never computed by replaying it.
    workflow: { queryRejectCondition: 'NOT_OPEN' },
    ...(interceptor === undefined ? {} : { interceptors: { workflow: [interceptor] } }),
  });
  return {
    client,
    taskQueue: environment.TEMPORAL_TASK_QUEUE,
    async close() {
      await repeats.end();
      await connection.close();
    },
  };
}

import { hostname } from 'node:os';
import {
  Client,
  Connection,
  makeGrpcRetryInterceptor,
  ScheduleClient,
  WorkflowClient,
  type WorkflowClientInterceptor,
} from '@temporalio/client';
import type { Environment } from '../../config/environment.ts';
import { forgoAsyncContext, type TimelyCalls, timely } from './call-deadline.ts';
import { connectionSettings } from './connection-settings.ts';
import { createPayloadCodec } from './payload-codec.ts';
import { type AttributeUse, createAttributeUse } from './search-attributes.ts';

/** The one connection of a process to Temporal. */
export interface Temporal extends TimelyCalls {
  /** Its calls have no deadline, whatever its `withDeadline` says. */
  readonly client: Client;
  readonly taskQueue: string;
  /** Whether its starts carry search attributes. */
  readonly attributes: AttributeUse;
  close(): Promise<void>;
}

/** gRPC status codes (grpc.io: "Status codes and their use"). */
const UNAVAILABLE = 14;
const ABORTED = 10;

/** A call is repeated twice at most; its deadline bounds the whole. */
const MAX_ATTEMPTS = 3;

/**
 * Repeats only what says "not now" of the connection or the shard. Not "resource exhausted": a full query buffer is
 * answered by reading the history, and a rate limit is not mended by more calls. A repeated start carries the same request
 * id, which the server recognises.
 */
function repeating() {
  let ending = false;
  /** Repetitions that are decided and not begun. */
  let due = 0;
  let begun = () => {};
  const repeat = makeGrpcRetryInterceptor({
    retryableDecider: (attempt, { code }) =>
      !ending && attempt < MAX_ATTEMPTS && (code === UNAVAILABLE || code === ABORTED),
    delayFunction: (attempt) => {
      due++;
      return 50 * 2 ** attempt * (0.5 + Math.random());
    },
  });
  const interceptor: typeof repeat = (options, nextCall) => {
    let isRepetition = false;
    return repeat(options, (again) => {
      if (isRepetition && --due === 0) begun();
      isRepetition = true;
      return nextCall(again);
    });
  };
  /** Decides on no more repetitions, and waits for those that are due: on a closed connection they throw in a timer, which ends the process. */
  const end = async () => {
    ending = true;
    if (due === 0) return;
    await new Promise<void>((resolve) => {
      begun = resolve;
    });
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
  forgoAsyncContext(connection);
  const common = {
    namespace: environment.TEMPORAL_NAMESPACE,
    identity: `${name} ${process.pid}@${hostname()}`,
  };
  // What a closed batch holds is read from its history, never computed by replaying it.
  const workflow = { queryRejectCondition: 'NOT_OPEN' } as const;
  const interceptors = interceptor === undefined ? [] : [interceptor];
  const client = new Client({
    ...common,
    connection,
    dataConverter: { payloadCodecs: [createPayloadCodec(environment)] },
    workflow,
    interceptors: { workflow: interceptors },
  });
  const { loadedDataConverter: dataConverter } = client.options;
  return {
    client,
    async within(ms, work) {
      const view = timely(connection, Date.now() + ms);
      return await work({
        get workflow() {
          return new WorkflowClient({
            ...common,
            ...workflow,
            dataConverter,
            interceptors,
            connection: view,
          });
        },
        get schedule() {
          return new ScheduleClient({ ...common, dataConverter, connection: view });
        },
        service: view.workflowService,
        operatorService: view.operatorService,
      });
    },
    taskQueue: environment.TEMPORAL_TASK_QUEUE,
    attributes: createAttributeUse(),
    async close() {
      await repeats.end();
      await connection.close();
    },
  };
}

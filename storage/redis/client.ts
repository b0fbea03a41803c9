import { Command, Redis } from 'ioredis';
import type { StoreTracing } from '../../telemetry/tracing.ts';
import { classifyRedisError, isNoScript } from './errors.ts';
import { EVENTS_CHANNEL } from './keys.ts';
import type { RunScript, ScriptReply } from './reply.ts';
import { SCRIPTS, type Script, script } from './scripts.ts';
import { createTogether, type Together } from './together.ts';

/** What decides how long Redis keeps what it is given. */
export interface ServerSettings {
  /** `maxmemory-policy` */
  readonly evictionPolicy: string;
  /** `maxmemory` in bytes; 0 is no limit. */
  readonly maxMemory: number;
  /** `appendonly` */
  readonly appendOnly: boolean;
}

/** One Redis connection for scripts, and one for messages when somebody listens. */
export interface RedisStore {
  /**
   * Runs a script once, never again: in doubt it throws.
   * @throws RedisUnavailable it certainly did not run; RedisOutOfMemory the same, for lack of memory;
   *   RedisOutcomeUnknown it may have run.
   */
  readonly run: RunScript;
  /** Runs a script with the other calls of it that are made at about the same time, each once: see {@link Together}. */
  readonly together: Together;
  /** Redis' own time now, in µs, as far as known: never ahead of it by more than a clock step of Redis. */
  estimatedTime(): number;
  /**
   * When Redis was last back after it had been out of reach (`performance.now()`, ms); long ago where it never was. A first
   * connection that took long counts.
   */
  reconnectedAt(): number;
  /** When a script was last answered before that. */
  lostAt(): number;
  /** When a script was last answered, whoever ran it (`performance.now()`, ms); long ago where none was. */
  answeredAt(): number;
  /** Notes a Redis time that a script answered. */
  learnTime(micros: number): void;
  /**
   * Listens to batch events; `onGap` is called whenever messages may have been missed. A connection that has gone dead is
   * noticed within two timeouts.
   */
  subscribe(listener: (message: string) => void, onGap: () => void): void;
  /**
   * Settings of the server; `undefined` where its INFO does not name them.
   * @throws RedisUnavailable or RedisOutcomeUnknown where Redis does not answer.
   */
  serverSettings(): Promise<ServerSettings | undefined>;
  /** @throws RedisUnavailable or RedisOutcomeUnknown where Redis does not answer. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

export interface RedisOptions {
  readonly url: string;
  /** One command, connecting included, in ms. */
  readonly timeoutMs: number;
  /** Shown by CLIENT LIST. */
  readonly name: string;
  /** Told of connection trouble; the client reconnects by itself. */
  readonly onError?: (error: Error) => void;
  /**
   * Called for each new connection before a script can be sent on it: what it asks is answered before any script is, and
   * it may be another server than before.
   */
  readonly onConnected?: () => void;
  readonly tracing?: StoreTracing | undefined;
}

/** A first connection that takes longer was kept waiting by a Redis that was away: others may have written around it, in ms. */
const SLOW_CONNECTION_MS = 1_000;

function connect(options: RedisOptions, name: string): Redis {
  const redis = new Redis(options.url, {
    connectionName: name,
    connectTimeout: options.timeoutMs,
    commandTimeout: options.timeoutMs,
    // A connection on which nothing comes back is given up a little before its commands are: then those that wait behind
    // them, and later ones, are known not to have been sent, instead of each ending in doubt.
    socketTimeout: Math.ceil(options.timeoutMs * 0.9),
    // The three together: a command is sent at most once, and nothing is sent later than it was meant.
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
    autoResubscribe: false,
    // A primary that became a replica: connect again, to whatever the address names now. The command is not resent.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt) => Math.min(25 * 2 ** Math.min(attempt, 6), 1_000),
    disableClientInfo: true,
  });
  redis.on('error', (error: Error) => options.onError?.(error));
  return redis;
}

/** Connects in the background; until then every call throws RedisUnavailable. */
export function connectRedis(options: RedisOptions): RedisStore {
  const redis = connect(options, options.name);
  let subscriber: Redis | undefined;
  let ping: NodeJS.Timeout | undefined;
  // Redis time minus this process's monotonic clock. Answers arrive late, never early, so the largest difference seen is
  // the closest one.
  let offset = Number.NEGATIVE_INFINITY;
  let serverMayDiffer = true;
  const connectingSince = performance.now();
  let connected = false;
  let reconnectedAt = Number.NEGATIVE_INFINITY;
  let lostAt = Number.NEGATIVE_INFINITY;
  let answeredAt = Number.NEGATIVE_INFINITY;
  const monotonic = () => performance.now() * 1_000;

  redis.on('ready', () => {
    serverMayDiffer = true;
    const now = performance.now();
    if (connected || now - connectingSince > SLOW_CONNECTION_MS) {
      reconnectedAt = now;
      lostAt = answeredAt;
    }
    connected = true;
    options.onConnected?.();
    for (const { source } of SCRIPTS.values()) redis.script('LOAD', source).catch(() => {});
  });

  // The arguments travel as one array: a recovery may have more of them than a JavaScript call can take.
  function send(name: string, args: (string | number)[]): Promise<ScriptReply> {
    const command = new Command(name, args, { replyEncoding: 'utf8' });
    return redis.sendCommand(command) as Promise<ScriptReply>;
  }

  async function evaluate(found: Script, args: readonly (string | number)[]): Promise<ScriptReply> {
    try {
      return await send('evalsha', [found.sha, ...args]);
    } catch (error) {
      // Refused before it ran, so sending it again, with its text, is the first time.
      if (isNoScript(error)) return await send('eval', [found.source, ...args]);
      throw error;
    }
  }

  const run: RunScript = async (name, keys, args) => {
    try {
      const reply = await evaluate(script(name), [keys.length, ...keys, ...args]);
      answeredAt = performance.now();
      return reply;
    } catch (error) {
      throw classifyRedisError(error);
    }
  };
  // What runs together belongs to many traces: each has the time that its own call took.
  const together = createTogether(run);
  const { tracing } = options;

  return {
    run:
      tracing === undefined
        ? run
        : (name, keys, args) => tracing.call(`redis ${name}`, ofScript(name), () => run(name, keys, args)),
    together:
      tracing === undefined
        ? together
        : (call) => tracing.call(`redis ${call.script}`, ofScript(call.script), () => together(call)),
    estimatedTime: () =>
      offset === Number.NEGATIVE_INFINITY ? Date.now() * 1_000 : Math.floor(offset + monotonic()),
    reconnectedAt: () => reconnectedAt,
    lostAt: () => lostAt,
    answeredAt: () => answeredAt,
    learnTime(micros) {
      const seen = micros - monotonic();
      offset = serverMayDiffer ? seen : Math.max(offset, seen);
      serverMayDiffer = false;
    },
    subscribe(listener, onGap) {
      const connection = connect(options, `${options.name}-events`);
      subscriber = connection;
      // Nothing is sent on it otherwise, so nothing would tell a quiet Redis from a connection that is dead. Where no answer
      // comes, the socket's timeout ends it, and it is made anew.
      ping = setInterval(() => {
        if (connection.status === 'ready') connection.ping().catch(() => {});
      }, options.timeoutMs);
      ping.unref();
      connection.on('message', (_channel: string, message: string) => listener(message));
      connection.on('ready', () => {
        connection.subscribe(EVENTS_CHANNEL).then(onGap, () => {});
      });
    },
    async serverSettings() {
      try {
        return parseSettings(await redis.info());
      } catch (error) {
        throw classifyRedisError(error);
      }
    },
    async ping() {
      try {
        await redis.ping();
      } catch (error) {
        throw classifyRedisError(error);
      }
    },
    async close() {
      clearInterval(ping);
      subscriber?.disconnect();
      redis.disconnect();
    },
  };
}

function ofScript(name: string) {
  return { 'db.system.name': 'redis', 'db.operation.name': 'EVALSHA', 'db.stored_procedure.name': name };
}

function parseSettings(info: string): ServerSettings | undefined {
  const field = (name: string) => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1];
  const evictionPolicy = field('maxmemory_policy');
  if (evictionPolicy === undefined) return undefined;
  return {
    evictionPolicy,
    maxMemory: Number(field('maxmemory') ?? 0),
    appendOnly: field('aof_enabled') === '1',
  };
}

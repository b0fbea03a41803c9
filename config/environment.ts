import { z } from 'zod';
import { CRASH_POINTS, parseCrashPoint } from './crash-points.ts';
import { payloadKeys } from './payload-keys.ts';
import { SettingsError } from './problem.ts';

const text = (fallback: string) => z.string().min(1).default(fallback);

function integer(fallback: number, min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(min).max(max))
    .default(fallback);
}

function url(fallback: string, ...protocols: string[]) {
  return z
    .string()
    .refine((value) => URL.canParse(value) && protocols.includes(new URL(value).protocol), {
      error: `must be a URL that begins with ${protocols.map((p) => `${p}//`).join(' or ')}`,
    })
    .default(fallback);
}

function flag() {
  return z
    .enum(['true', 'false'])
    .default('false')
    .transform((value) => value === 'true');
}

function list(itemProblem: (item: string) => string | undefined) {
  return z
    .string()
    .default('')
    .transform((value) => value.split(',').map((item) => item.trim()))
    .transform((items) => items.filter((item) => item !== ''))
    .superRefine((items, ctx) => {
      for (const message of items.map(itemProblem)) {
        if (message !== undefined) ctx.addIssue({ code: 'custom', message });
      }
    });
}

/** As browsers send it: no path, no default port, no `*`. */
function originProblem(item: string): string | undefined {
  const origin = URL.canParse(item) ? new URL(item).origin : 'null';
  if (origin === item && /^https?:/.test(item)) return undefined;
  return `"${item}" is no origin such as https://app.example.com`;
}

function hostProblem(item: string): string | undefined {
  return /^[a-z0-9._-]+$/.test(item) ? undefined : `"${item}" is no host name in lower case, without a port`;
}

/**
 * Every environment variable that Holdfast reads, with its default. Times are milliseconds, sizes bytes. The official
 * Temporal variables for TLS and API keys are read by `@temporalio/envconfig` beside these.
 */
const schema = z.object({
  HOST: text('127.0.0.1'),
  PORT: integer(8080, 0, 65_535),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  HOLDFAST_CONFIG: text('holdfast.config.json'),
  /**
   * Where a worker process serves `/metrics`, its own and those of the Temporal SDK, to whoever reaches the port. 0: nowhere.
   * An API process has its metrics on its own port.
   */
  WORKER_METRICS_PORT: integer(0, 0, 65_535),
  WORKER_METRICS_HOST: text('127.0.0.1'),
  /**
   * Where a collector of OpenTelemetry takes traces by OTLP over HTTP (`http://collector:4318`); the second one is the whole
   * address. Without either, nothing is traced. The official variables for headers, sampling, batching and resource count, too.
   */
  OTEL_EXPORTER_OTLP_ENDPOINT: url('', 'http:', 'https:'),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url('', 'http:', 'https:'),
  /** Nothing is traced, whatever else is set. */
  OTEL_SDK_DISABLED: flag(),

  /**
   * Without any API key in the configuration file, Holdfast only listens on a loopback address. `true`: on any HOST, since
   * something else guards the port. Without meaning where there are keys: they are always asked for.
   */
  ALLOW_ANONYMOUS: flag(),
  /**
   * Without any API key: the host names with a dot under which it may be called, separated by commas. Addresses, names
   * without a dot and those below `.localhost` always work.
   */
  ALLOWED_HOSTS: list(hostProblem),
  /** The origins of web pages that may call the API from a browser, separated by commas. */
  CORS_ORIGINS: list(originProblem),
  /** Requests a second for each API key that has no `rate` of its own; twice as many at once. 0: no limit. */
  RATE_PER_SECOND: integer(1_000, 0, 1_000_000),

  REDIS_URL: url('redis://127.0.0.1:6379', 'redis:', 'rediss:'),
  DATABASE_URL: url('postgres://127.0.0.1:5432/holdfast', 'postgres:', 'postgresql:'),
  TEMPORAL_ADDRESS: text('127.0.0.1:7233'),
  TEMPORAL_NAMESPACE: text('default'),
  TEMPORAL_TASK_QUEUE: text('holdfast'),
  TEMPORAL_UI_URL: url('http://127.0.0.1:8233', 'http:', 'https:'),

  /** Payloads in Temporal from this size on are compressed. 0: none. */
  PAYLOAD_COMPRESS_FROM_BYTES: integer(8_192, 0, 2 ** 31 - 1),
  /**
   * Keys that payloads in Temporal are encrypted with, as `name:BASE64` pairs separated by commas: the first one encrypts, all
   * decrypt. Empty: payloads are not encrypted.
   */
  PAYLOAD_ENCRYPTION_KEYS: payloadKeys,

  /** How many partitions the entries are spread over. Recorded in PostgreSQL; changing it needs a drain. */
  PARTITIONS: integer(1, 1, 100),
  /** Open batch workflows a partition may have. Recorded in PostgreSQL; changing it needs a drain. */
  SLOTS: integer(32, 2, 100),
  BATCH_MAX_ENTRIES: integer(4_000, 1, 10_000),
  /** Escaped once more as JSON it can double, and Temporal takes payloads of 2 MB at most. */
  BATCH_MAX_BYTES: integer(512 * 1024, 1_024, 960 * 1024),
  /** Batches of a partition that may wait in Redis without a slot. Past it: `503 queue-full`. */
  STAGED_MAX_BATCHES: integer(32, 1, 1_000),
  MAX_VALUE_BYTES: integer(128 * 1024, 1, 512 * 1024),
  /** Of one `POST /v1/batch`. */
  MAX_BATCH_OPERATIONS: integer(100, 1, 1_000),
  /** The body of one `POST /v1/batch`. */
  MAX_BATCH_BYTES: integer(4 * 1024 * 1024, 1_024, 64 * 1024 * 1024),
  /** Keys of one read, or of one invalidation. */
  MAX_READ_KEYS: integer(100, 1, 1_000),
  /** Reads that a process works on at once, and as many writes. Past it: `503 overloaded`. Routes of operators have a few of their own. */
  MAX_REQUESTS_IN_FLIGHT: integer(5_000, 1, 1_000_000),
  /**
   * Bytes of bodies that the reads of a process hold at once, and as many its writes: until they have their answers, which may
   * be the whole deadline. Past it: `503 overloaded`. Never less than the largest `MAX_BATCH_BYTES`.
   */
  MAX_BODY_BYTES_IN_FLIGHT: integer(256 * 1024 * 1024, 64 * 1024 * 1024, 64 * 1024 ** 3),

  /** How long a staged write for which nobody waits may gather company. */
  FLUSH_INTERVAL_MS: integer(200, 1, 60_000),
  /** The longest a batch gathers while slots are scarce. Below the request deadline, so that waiting is worth it. */
  GATHER_MAX_MS: integer(5_000, 1, 60_000),
  /** The whole of a request. */
  REQUEST_DEADLINE_MS: integer(10_000, 100, 120_000),
  REDIS_TIMEOUT_MS: integer(2_000, 10, 60_000),
  /**
   * Of one statement. At most two thirds of what an attempt to persist a batch has (30 s, `workflows/activity-options.ts`): it
   * must end with PostgreSQL's own error, not with a bare timeout, while its statement still runs and holds its locks.
   */
  POSTGRES_TIMEOUT_MS: integer(5_000, 10, 20_000),
  POSTGRES_POOL_SIZE: integer(20, 1, 500),
  /** One start, describe or history call. */
  TEMPORAL_TIMEOUT_MS: integer(5_000, 10, 60_000),
  /** A query of a batch workflow; past it the batch is read from its history, which needs no worker. */
  QUERY_TIMEOUT_MS: integer(500, 10, 60_000),
  /**
   * Temporal out of reach for this long: the process persists its sealed batches itself. One of them at a time finds out whether
   * Temporal is back, and waits for that: at first for half a second, in a long outage up to `TEMPORAL_TIMEOUT_MS`.
   */
  DIRECT_PERSIST_AFTER_MS: integer(2_000, 10, 600_000),
  /** A batch that was sealed this long ago and not confirmed is offered again by any process. */
  ADOPT_AFTER_MS: integer(5_000, 100, 600_000),
  /**
   * How often each process looks for batches whose release was lost or whose workflow was ended by hand. A batch is looked
   * at when it has been in Temporal for twice as long.
   */
  SWEEP_INTERVAL_MS: integer(5_000, 100, 600_000),
  /** The largest difference between any two clocks (API, Redis, PostgreSQL, Temporal) that is tolerated. */
  CLOCK_TOLERANCE_MS: integer(500, 1, 60_000),
  /** How often the whole pending index is walked through by the schedule of that, beside the sweeps of every process. */
  RECONCILE_INTERVAL_MS: integer(600_000, 1_000, 7 * 86_400_000),
  /** How often tombstones are pruned. */
  PRUNE_INTERVAL_MS: integer(3_600_000, 1_000, 7 * 86_400_000),
  /**
   * How old a tombstone is at least when it is pruned. Never less than a request and the clocks' tolerance take: the
   * default is far above what any process may be set to.
   */
  TOMBSTONE_MIN_AGE_MS: integer(3_600_000, 0, 365 * 86_400_000),
  /** How long a write with an Idempotency-Key may be repeated and still be recognised. */
  IDEMPOTENCY_RETENTION_MS: integer(24 * 3_600_000, 60_000, 365 * 86_400_000),
  /**
   * After a stop signal: how long requests are still taken while `/readyz` says 503, so that a load balancer looks elsewhere
   * before connections are refused. What follows takes 8 s at most.
   */
  SHUTDOWN_DELAY_MS: integer(1_000, 0, 300_000),
  /** How long "there is no such entry" is cached. */
  ABSENT_TTL_MS: integer(5_000, 1, 3_600_000),

  /** For tests: where the process ends itself, as `name:n` for the n-th time it comes by. Empty: nowhere. */
  HOLDFAST_CRASH_POINT: z
    .string()
    .refine((text) => parseCrashPoint(text) !== undefined, {
      error: `must be name:n, a whole number from 1 and one of ${CRASH_POINTS.join(', ')}`,
    })
    .default(''),
});

export type Environment = Readonly<z.infer<typeof schema>>;

/** The names of all variables above: what a deployment file may set. */
export const ENVIRONMENT_VARIABLES: readonly string[] = Object.keys(schema.shape);

/**
 * Reads and checks the environment, once. An empty variable counts as not set.
 * @throws SettingsError that lists every problem at once.
 */
export function readEnvironment(env: NodeJS.ProcessEnv = process.env): Environment {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const result = schema.safeParse(set);
  if (result.success) return Object.freeze(result.data);
  throw new SettingsError(
    result.error.issues.map((issue) => {
      const name = String(issue.path[0]);
      const range = issue.code === 'too_small' ? `must be at least ${issue.minimum}` : undefined;
      const limit = issue.code === 'too_big' ? `must be at most ${issue.maximum}` : undefined;
      return `${name}: ${range ?? limit ?? issue.message}`;
    }),
  );
}

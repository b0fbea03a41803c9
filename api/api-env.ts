import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { Logger } from 'pino';
import type { Environment } from '../config/environment.ts';
import type { ApiKey } from '../config/keys.ts';
import type { Holdfast } from '../service/holdfast.ts';
import type { HttpMetrics } from '../telemetry/metrics.ts';
import type { Tracing } from '../telemetry/tracing.ts';
import type { CountedBody } from './body-budget.ts';
import type { Caller } from './caller.ts';

/** What a request carries beside Hono's own: Node's request and response, the id once somebody asked for it, and who sent it. */
export interface ApiBindings extends HttpBindings, CountedBody {
  requestId?: string;
  /** Set before the handler runs, but for public routes. */
  caller?: Caller;
  /** The code of the problem that is the answer. */
  problem?: string;
}

export interface ApiEnv {
  Bindings: ApiBindings;
}

export type ApiContext = Context<ApiEnv>;

/** `deadlineAt`: when the answer must be there, on the process's monotonic clock (`performance.now()`), in ms. */
export type ApiHandler = (c: ApiContext, deadlineAt: number) => Promise<Response>;

export interface ApiDeps {
  readonly holdfast: Holdfast;
  readonly limits: Pick<
    Environment,
    | 'MAX_VALUE_BYTES'
    | 'MAX_BATCH_OPERATIONS'
    | 'MAX_BATCH_BYTES'
    | 'MAX_READ_KEYS'
    | 'MAX_REQUESTS_IN_FLIGHT'
    | 'MAX_BODY_BYTES_IN_FLIGHT'
    | 'REQUEST_DEADLINE_MS'
  >;
  /** Empty: whoever reaches the port may do everything. */
  readonly keys: readonly ApiKey[];
  readonly settings: Pick<Environment, 'ALLOWED_HOSTS' | 'CORS_ORIGINS' | 'TEMPORAL_UI_URL'>;
  readonly metrics: HttpMetrics;
  /** Only where a collector is configured. */
  readonly tracing?: Tracing | undefined;
  readonly log: Logger;
  /** Aborted once the process is on its way down: `/readyz` then answers 503. */
  readonly stopping: AbortSignal;
}

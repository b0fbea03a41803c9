import type { Logger } from 'pino';
import type { Environment } from '../config/environment.ts';
import type { Tracing } from './tracing.ts';
import type { WorkerTracing } from './worker-tracing.ts';

type Endpoints = Pick<
  Environment,
  'OTEL_EXPORTER_OTLP_ENDPOINT' | 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT' | 'OTEL_SDK_DISABLED'
>;

/** Tracing that was started, until `stop`, which sends what is left and takes a second at most: api/run.ts counts on that. */
export interface Started<T> {
  readonly tracing: T;
  /** The trace under way, for log lines. */
  logFields(): object;
  stop(): Promise<void>;
}

/**
 * Loads OpenTelemetry and starts it where a collector is configured; `undefined` elsewhere, where nothing of it is loaded. Once
 * per process, before anything is connected.
 */
export async function startApiTracing(
  environment: Endpoints,
  log: Logger,
): Promise<Started<Tracing> | undefined> {
  if (!isConfigured(environment)) return undefined;
  const [{ startOpenTelemetry }, { createApiTracing }] = await Promise.all([
    import('./open-telemetry.ts'),
    import('./api-tracing.ts'),
  ]);
  const started = startOpenTelemetry('holdfast-api', log);
  return { tracing: createApiTracing(started), logFields: started.logFields, stop: started.stop };
}

/** As {@link startApiTracing}. */
export async function startWorkerTracing(
  environment: Endpoints,
  log: Logger,
): Promise<Started<WorkerTracing> | undefined> {
  if (!isConfigured(environment)) return undefined;
  const [{ startOpenTelemetry }, { createWorkerTracing }] = await Promise.all([
    import('./open-telemetry.ts'),
    import('./worker-tracing.ts'),
  ]);
  const started = startOpenTelemetry('holdfast-worker', log);
  return { tracing: createWorkerTracing(started), logFields: started.logFields, stop: started.stop };
}

function isConfigured(environment: Endpoints): boolean {
  if (environment.OTEL_SDK_DISABLED) return false;
  return (
    environment.OTEL_EXPORTER_OTLP_ENDPOINT !== '' || environment.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT !== ''
  );
}

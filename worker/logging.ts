import { Runtime, type LogLevel as SdkLevel } from '@temporalio/worker';
import { type Logger, pino } from 'pino';
import type { Environment } from '../config/environment.ts';

const LEVELS = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

export function createLogger(environment: Environment): Logger {
  return pino({ level: environment.LOG_LEVEL, base: { part: 'worker' } });
}

/**
 * What the SDK says, under the names that all of Holdfast's log lines have. pino prints an error in full under `err` only; a task
 * token is long and finds nothing.
 */
function fields(meta: Record<string | symbol, unknown> | undefined): Record<string, unknown> {
  const { error, taskToken: _, workflowRunId, ...rest } = { ...meta };
  return {
    ...rest,
    ...(workflowRunId === undefined ? {} : { runId: workflowRunId }),
    ...(error === undefined ? {} : { err: error }),
  };
}

/** Named as Prometheus has it: seconds, `_total`, the unit in the name. */
function prometheusAt(bindAddress: string) {
  return {
    prometheus: {
      bindAddress,
      countersTotalSuffix: true,
      unitSuffix: true,
      useSecondsForDurations: true,
    },
  };
}

/**
 * Sends the log of the Temporal SDK, its native part included, through `logger`, and takes the shutdown signals away
 * from it: the process handles them itself. Once per process, before any connection or worker is made.
 * @param metricsAddress where the native part serves its metrics; without it, it has none.
 * @throws Error where that address cannot be had.
 */
export function installRuntime(logger: Logger, metricsAddress?: string): void {
  const sdk = logger.child({ component: 'temporal-sdk' });
  const log = (level: SdkLevel, message: string, meta?: Record<string | symbol, unknown>) =>
    sdk[LEVELS[level]](fields(meta), message);
  Runtime.install({
    logger: {
      log,
      trace: (message, meta) => log('TRACE', message, meta),
      debug: (message, meta) => log('DEBUG', message, meta),
      info: (message, meta) => log('INFO', message, meta),
      warn: (message, meta) => log('WARN', message, meta),
      error: (message, meta) => log('ERROR', message, meta),
    },
    telemetryOptions: {
      logging: { filter: { core: 'WARN', other: 'ERROR' }, forward: {} },
      ...(metricsAddress === undefined ? {} : { metrics: prometheusAt(metricsAddress) }),
    },
    shutdownSignals: [],
  });
}

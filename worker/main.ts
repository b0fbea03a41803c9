import { warnOfCrashPoint } from '../config/crash-points.ts';
import { readEnvironment } from '../config/environment.ts';
import { SettingsError } from '../config/problem.ts';
import { startWorkerTracing } from '../telemetry/start-tracing.ts';
import { createWorkerMetrics } from '../telemetry/worker-metrics.ts';
import { createLogger } from './logging.ts';
import { runWorker } from './run-worker.ts';
import { startTelemetry } from './start-telemetry.ts';
import { StartError } from './wait-for.ts';

/**
 * The last resort: the SDK waits for a Temporal that hangs longer than it was told to. Above what a stop in good order takes
 * (see options.ts), below the 30 s after which orchestrators kill.
 */
const STOP_MS = 25_000;

/** `npm run worker`: one worker process, all addresses from the environment. */
async function main(): Promise<number> {
  const environment = readEnvironment();
  const logger = createLogger(environment);
  const metrics = createWorkerMetrics({ process: true });
  await startTelemetry(environment, logger, metrics.scrape);
  const traces = await startWorkerTracing(environment, logger);
  warnOfCrashPoint(logger);

  const shutdown = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      // Asked twice means: now. What was running is tried again by another worker.
      if (shutdown.signal.aborted) process.exit(130);
      logger.info({ signal: name }, 'shutting down; once more to exit at once');
      shutdown.abort();
      setTimeout(() => {
        logger.warn(
          'what is left does not end: exiting. Batches under way are tried again by another worker',
        );
        process.exit(1);
      }, STOP_MS).unref();
    });
  }

  await runWorker({
    environment,
    logger,
    metrics,
    tracing: traces?.tracing,
    signal: shutdown.signal,
    onReady: () =>
      console.log(
        `Holdfast worker ready: task queue "${environment.TEMPORAL_TASK_QUEUE}", namespace "${environment.TEMPORAL_NAMESPACE}" at ${environment.TEMPORAL_ADDRESS}`,
      ),
  });
  await traces?.stop();
  logger.info('worker ended');
  return 0;
}

// Not left to the event loop: a connection on which nothing comes back would keep it running.
try {
  process.exit(await main());
} catch (error) {
  console.error(error instanceof SettingsError || error instanceof StartError ? error.message : error);
  process.exit(1);
}

import { warnOfCrashPoint } from '../config/crash-points.ts';
import { readEnvironment } from '../config/environment.ts';
import { SettingsError } from '../config/problem.ts';
import { createLogger, installRuntime } from './logging.ts';
import { runWorker } from './run-worker.ts';
import { StartError } from './wait-for.ts';

/** `npm run worker`: one worker process, all addresses from the environment. */
async function main(): Promise<number> {
  const environment = readEnvironment();
  const logger = createLogger(environment);
  installRuntime(logger);
  warnOfCrashPoint(logger);

  const shutdown = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      // Asked twice means: now. What was running is tried again by another worker.
      if (shutdown.signal.aborted) process.exit(130);
      logger.info({ signal: name }, 'shutting down; once more to exit at once');
      shutdown.abort();
    });
  }

  await runWorker({
    environment,
    logger,
    signal: shutdown.signal,
    onReady: () =>
      console.log(
        `Holdfast worker ready: task queue "${environment.TEMPORAL_TASK_QUEUE}", namespace "${environment.TEMPORAL_NAMESPACE}" at ${environment.TEMPORAL_ADDRESS}`,
      ),
  });
  logger.info('worker ended');
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof SettingsError || error instanceof StartError ? error.message : error);
  process.exitCode = 1;
}

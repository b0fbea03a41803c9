import { pino } from 'pino';
import { readConfigFile } from '../config/config-file.ts';
import { warnOfCrashPoint } from '../config/crash-points.ts';
import { readEnvironment } from '../config/environment.ts';
import { requireKeysBeyondLoopback } from '../config/exposure.ts';
import { SettingsError } from '../config/problem.ts';
import { createHoldfast } from '../service/create-holdfast.ts';
import { createApiMetrics } from '../telemetry/api-metrics.ts';
import { type Started, startApiTracing } from '../telemetry/start-tracing.ts';
import type { Tracing } from '../telemetry/tracing.ts';
import { type RunningApi, runApi } from './run.ts';

/** `npm run api`: one API process, all addresses from the environment. */
async function main(): Promise<void> {
  const environment = readEnvironment();
  const { collections, keys } = readConfigFile(environment.HOLDFAST_CONFIG);
  requireKeysBeyondLoopback(environment, keys);
  let traces: Started<Tracing> | undefined;
  const log = pino({
    name: 'holdfast-api',
    level: environment.LOG_LEVEL,
    mixin: () => traces?.logFields() ?? {},
  });
  traces = await startApiTracing(environment, log);
  warnOfCrashPoint(log);

  let api: RunningApi | undefined;
  let stopping = false;
  const stop = async (signal: NodeJS.Signals) => {
    // Who asks twice does not want to wait.
    if (stopping) process.exit(1);
    stopping = true;
    log.info({ signal }, 'stopping: finishing the requests under way; once more to exit at once');
    try {
      await api?.stop();
      await traces?.stop();
      process.exit(0);
    } catch (error) {
      log.error({ err: error }, 'stopped, but not in good order');
      process.exit(1);
    }
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);

  const onFatal = (error: SettingsError) => {
    log.fatal(error.message);
    process.exit(1);
  };
  const metrics = createApiMetrics({ process: true, partitions: environment.PARTITIONS });
  const holdfast = createHoldfast({
    environment,
    collections,
    keys,
    metrics: metrics.service,
    tracing: traces?.tracing,
    log,
    onFatal,
  });
  metrics.shareFrom(holdfast.figures);
  api = await runApi({ environment, holdfast, keys, metrics, tracing: traces?.tracing, log });
}

try {
  await main();
} catch (error) {
  console.error(error instanceof SettingsError ? error.message : error);
  process.exit(1);
}

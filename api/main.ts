import { pino } from 'pino';
import { readCollections } from '../config/collections.ts';
import { warnOfCrashPoint } from '../config/crash-points.ts';
import { readEnvironment } from '../config/environment.ts';
import { SettingsError } from '../config/problem.ts';
import { createHoldfast } from '../service/create-holdfast.ts';
import { type RunningApi, runApi } from './run.ts';

/** `npm run api`: one API process, all addresses from the environment. */
async function main(): Promise<void> {
  const environment = readEnvironment();
  const collections = readCollections(environment.HOLDFAST_CONFIG);
  const log = pino({ name: 'holdfast-api', level: environment.LOG_LEVEL });
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
      process.exit(0);
    } catch (error) {
      log.error({ err: error }, 'stopped, but not in good order');
      process.exit(1);
    }
  };
  // Before anything is waited for: a process that waits for its database must stop as readily as one that serves.
  process.on('SIGTERM', stop).on('SIGINT', stop);

  const holdfast = await createHoldfast({ environment, collections, log });
  api = await runApi({ environment, holdfast, log });
}

try {
  await main();
} catch (error) {
  console.error(error instanceof SettingsError ? error.message : error);
  process.exit(1);
}

import { pino } from 'pino';
import { readCollections } from '../config/collections.ts';
import { readEnvironment } from '../config/environment.ts';
import { SettingsError } from '../config/problem.ts';
import { HoldfastError } from '../domain/errors.ts';
import { createHoldfast } from '../service/create-holdfast.ts';
import { runApi } from './run.ts';

/** `npm run api`: the API process. Every address comes from the environment. */
async function main(): Promise<void> {
  const environment = readEnvironment();
  const collections = readCollections(environment.HOLDFAST_CONFIG);
  const log = pino({ name: 'holdfast-api', level: environment.LOG_LEVEL });
  const holdfast = await createHoldfast({ environment, collections, log });
  const api = await runApi({ environment, holdfast, log });

  let stopping = false;
  const stop = (signal: NodeJS.Signals) => {
    // Who asks twice does not want to wait.
    if (stopping) process.exit(1);
    stopping = true;
    log.info({ signal }, 'stopping: finishing the requests under way');
    api.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'stopped, but not cleanly');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
}

try {
  await main();
} catch (error) {
  const expected = error instanceof SettingsError || error instanceof HoldfastError;
  console.error(expected ? (error as Error).message : error);
  process.exit(1);
}

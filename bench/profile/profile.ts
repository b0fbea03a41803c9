import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Contender } from '../contenders.ts';
import type { System } from '../system.ts';
import { redisSection, watchRedis } from './redis.ts';
import { readSdk, sdkSection } from './sdk.ts';
import { statementsSection, watchStatements } from './statements.ts';

/** Writes what the services of each system were asked to do since the profile began; answers the files. */
export type EndProfile = () => Promise<readonly string[]>;

/**
 * Begins to count what each system asks of Redis, PostgreSQL and the worker's Temporal SDK. Systems with several lines in the tables
 * are profiled once, for all of them: name one with `--systems` and one workload with `--only` to see what a request costs.
 */
export async function beginProfile(contenders: readonly Contender[], folder: string): Promise<EndProfile> {
  mkdirSync(folder, { recursive: true });
  const profiles: { readonly file: string; readonly end: () => Promise<string> }[] = [];
  for (const system of new Set(contenders.map((contender) => contender.system))) {
    const lines = contenders.filter((contender) => contender.system === system).map(({ id }) => id);
    const file = join(folder, `services-${profiles.length + 1}-${lines.join('-')}.md`);
    profiles.push({ file, end: await watch(system) });
  }
  return async () => {
    for (const { file, end } of profiles) writeFileSync(file, `${await end()}\n`);
    return profiles.map(({ file }) => file);
  };
}

async function watch({ redis, db, workerMetrics }: System): Promise<() => Promise<string>> {
  if (redis !== undefined) await watchRedis(redis);
  if (db !== undefined) await watchStatements(db);
  const before = workerMetrics === undefined ? undefined : await readSdk(workerMetrics);
  return async () => {
    const sections = [
      redis && (await redisSection(redis)),
      db && (await statementsSection(db)),
      workerMetrics && before && sdkSection(before, await readSdk(workerMetrics)),
    ];
    return sections.filter((section) => section !== undefined).join('\n\n');
  };
}

import type { Redis } from 'ioredis';
import { SCRIPTS } from '../../storage/redis/scripts.ts';
import { digits, table } from '../format.ts';

/** What keeps Redis from everything else for a millisecond is worth a look. */
const SLOW_MICROS = 1_000;
const SHOWN = 12;

/** Counts from now on, and keeps what is slow. */
export async function watchRedis(redis: Redis): Promise<void> {
  await redis.config('SET', 'slowlog-log-slower-than', String(SLOW_MICROS));
  await redis.config('SET', 'slowlog-max-len', '10000');
  await redis.config('RESETSTAT');
  await redis.slowlog('RESET');
}

/** Commands by the time that they took, those that scripts call included; then what was slow, by script. */
export async function redisSection(redis: Redis): Promise<string> {
  const stats = await redis.info('commandstats');
  const slow = (await redis.slowlog('GET', 10_000)) as SlowEntry[];
  return [
    '## Redis',
    "A script's time includes that of the commands it calls, which are listed, too.",
    table(['command', 'calls', 'µs each', 'sum ms'], commandLines(stats)),
    `Slower than ${digits(SLOW_MICROS / 1_000)} ms: ${slow.length}.`,
    ...(slow.length === 0 ? [] : [table(['what', 'times', 'longest ms', 'sum ms'], slowLines(slow))]),
  ].join('\n\n');
}

/** `cmdstat_evalsha:calls=3,usec=120,usec_per_call=40.00,…` */
export function commandLines(stats: string): string[][] {
  return [...stats.matchAll(/^cmdstat_(\S+?):calls=(\d+),usec=(\d+),/gm)]
    .map(([, command = '', calls, micros]) => ({ command, calls: Number(calls), micros: Number(micros) }))
    .sort((a, b) => b.micros - a.micros)
    .slice(0, SHOWN)
    .map(({ command, calls, micros }) => [
      command.replace('|', ' '),
      calls.toLocaleString('en-US'),
      digits(micros / calls),
      digits(micros / 1_000),
    ]);
}

/** Its number, when (in seconds), the µs that it took, and its words. */
type SlowEntry = readonly [id: number, at: number, micros: number, words: readonly string[]];

export function slowLines(entries: readonly SlowEntry[]): string[][] {
  const byWhat = new Map<string, number[]>();
  for (const [, , micros, words] of entries) {
    const what = nameOf(words);
    byWhat.set(what, [...(byWhat.get(what) ?? []), micros / 1_000]);
  }
  return [...byWhat]
    .map(([what, all]) => ({ what, all, sum: all.reduce((sum, one) => sum + one, 0) }))
    .sort((a, b) => b.sum - a.sum)
    .map(({ what, all, sum }) => [
      what,
      all.length.toLocaleString('en-US'),
      digits(Math.max(...all)),
      digits(sum),
    ]);
}

/** A script of ours by its name, everything else by its command. */
function nameOf([command = '', sha]: readonly string[]): string {
  const found = [...SCRIPTS.values()].find((script) => script.sha === sha);
  return found === undefined ? command.toUpperCase() : `${found.name}.lua`;
}

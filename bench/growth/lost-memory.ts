import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { Problem } from '../../dev/problem.ts';
import type { Holdfast } from '../start-holdfast.ts';
import { addressOf, backlogEntry, type Expected, onePerPartition, probeEntry } from './backlog-entries.ts';

/** Longer than anybody would wait for. */
const PATIENCE_MS = 180_000;
const AGAIN_MS = 20;

/** What became of one partition after Redis lost everything, in ms from then on. */
export interface Recovered {
  /** Until a write was accepted. */
  readonly writeMs: number;
  /** Until a read answered a write that waits in the queue. */
  readonly readMs: number;
  /** Requests that were refused before, of both. */
  readonly refused: number;
}

/**
 * Empties Redis and then writes to and reads from every partition at once, again and again, until it answers. `round` begins the
 * keys that are written.
 * @throws Problem where a read answers anything but the value that was acknowledged, or a partition does not come back.
 */
export async function loseMemory(
  holdfast: Holdfast,
  { base, partitions, round }: { readonly base: string; readonly partitions: number; readonly round: string },
): Promise<Recovered[]> {
  const pending = onePerPartition(partitions, backlogEntry);
  const fresh = onePerPartition(partitions, (n) => probeEntry(round, n));
  await holdfast.redis.flushall();
  const begin = performance.now();
  const ended = await Promise.allSettled(
    pending.map(async (entry, partition) => {
      const probe = fresh[partition];
      if (probe === undefined) throw new Error(`there is no probe for partition ${partition}`);
      const [write, read] = await Promise.all([
        untilSo(`a write to partition ${partition}`, begin, () => accepts(base, probe)),
        untilSo(`a read from partition ${partition}`, begin, () => answers(base, entry)),
      ]);
      return { writeMs: write.ms, readMs: read.ms, refused: write.refused + read.refused };
    }),
  );
  // None is left asking when this one fails: what is stopped next would be asked in vain.
  return ended.map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  });
}

/** Asks until it is so. Answers when that was, in ms from `begin` on, and how often it was not. */
async function untilSo(what: string, begin: number, isSo: () => Promise<boolean>) {
  for (let refused = 0; ; refused += 1) {
    const so = await isSo();
    const ms = performance.now() - begin;
    if (so) return { ms, refused };
    if (ms > PATIENCE_MS)
      throw new Problem(`${what} failed for ${Math.round(ms / 1_000)} s after Redis lost its memory`);
    await sleep(AGAIN_MS);
  }
}

async function accepts(base: string, entry: Expected): Promise<boolean> {
  const response = await fetch(addressOf(base, entry), {
    method: 'PUT',
    headers: { 'content-type': 'application/json', prefer: 'durability=cached' },
    body: entry.text,
  });
  await response.text();
  return response.ok;
}

/**
 * Whether a read answers; a `5xx` is no answer yet.
 * @throws Problem where it answers another value, or that there is none: a write that was acknowledged is gone.
 */
export async function answers(base: string, entry: Expected): Promise<boolean> {
  const response = await fetch(addressOf(base, entry));
  const text = await response.text();
  if (response.status >= 500) return false;
  if (response.ok && isDeepStrictEqual(JSON.parse(text), JSON.parse(entry.text))) return true;
  throw new Problem(
    `LOST OR WRONG: ${entry.key} was written as ${entry.text}; a read answers ${response.status} ${text}`,
  );
}

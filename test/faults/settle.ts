import { until } from '../../dev/until.ts';
import type { Bed } from './bed.ts';
import { PARTITIONS } from './bed.ts';
import { isCounter } from './collections.ts';
import type { FinalEntry, State } from './history.ts';
import { asValue } from './outcome.ts';

const DRAIN_MS = 45_000;

interface EntryName {
  readonly collection: string;
  readonly key: string;
}

/** Keys of a partition that are empty when nothing is on its way. */
const ON_THE_WAY = ['open', 'closed', 'queue', 'sent', 'index'] as const;

/** Waits until nothing is on its way to PostgreSQL. @throws Error that names what is left. */
export async function drained(bed: Bed): Promise<void> {
  let left: string[] = [];
  const empty = async () => {
    left = [];
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const name = `hf:{p${String(partition).padStart(2, '0')}}`;
      for (const part of ON_THE_WAY) {
        const key = `${name}:${part}`;
        const size = part === 'queue' ? await bed.redisClient.llen(key) : await bed.redisClient.hlen(key);
        if (size > 0) left.push(`${key} (${size})`);
      }
    }
    return left.length === 0;
  };
  try {
    await until(empty, { what: 'everything to drain', timeoutMs: DRAIN_MS, everyMs: 50 });
  } catch {
    throw new Error(`after ${DRAIN_MS / 1_000} s there is still something in ${left.join(', ')}`);
  }
}

/** Looks everywhere an entry can be. Call it when everything has drained and nobody writes. */
export async function finalStates(bed: Bed, names: readonly EntryName[]): Promise<readonly FinalEntry[]> {
  const states: FinalEntry[] = [];
  // The cache first: the reads below fill it.
  for (let i = 0; i < names.length; i += 8) {
    states.push(...(await Promise.all(names.slice(i, i + 8).map((name) => finalState(bed, name)))));
  }
  return states;
}

async function finalState(bed: Bed, { collection, key }: EntryName): Promise<FinalEntry> {
  const path = `/v1/collections/${collection}/entries/${encodeURIComponent(key)}`;
  const explanation = await explain(`${bed.apis[0]?.url}${path}/explanation`);
  const table = isCounter(collection) ? 'counters' : 'documents';
  const { rows } = await bed.db.query<{ version: string; value: string | null; deleted: boolean }>(
    `SELECT version, value::text, deleted FROM ${table} WHERE collection = $1 AND key = $2`,
    [collection, key],
  );
  const dead = await bed.db.query<{ version: string }>(
    'SELECT version FROM dead_letters WHERE collection = $1 AND key = $2',
    [collection, key],
  );
  const row = rows[0];
  const reads = await Promise.all(
    bed.apis.map(async ({ url }, api) => {
      const answer = await fetch(`${url}${path}`);
      if (answer.status === 404) return { api, value: null };
      const version = Number(answer.headers.get('etag')?.slice(1, -1));
      return { api, version, value: asValue(await answer.json()) };
    }),
  );
  return {
    collection,
    key,
    row:
      row === undefined
        ? null
        : {
            version: Number(row.version),
            value: row.deleted || row.value === null ? null : asValue(JSON.parse(row.value)),
          },
    cached: explanation.cached,
    pendingIn: explanation.pendingIn,
    reads,
    deadLetters: dead.rows.map(({ version }) => Number(version)),
  };
}

async function explain(url: string): Promise<{ cached: State | null; pendingIn: string | null }> {
  const answer = await fetch(url);
  if (answer.status !== 200)
    throw new Error(`the explanation of an entry: ${answer.status} ${await answer.text()}`);
  const { cached, pending } = (await answer.json()) as {
    cached: { version: number; deleted: boolean; value: unknown } | null;
    pending: { batchId: string } | null;
  };
  return {
    cached:
      cached === null
        ? null
        : { version: cached.version, value: cached.deleted ? null : asValue(cached.value) },
    pendingIn: pending?.batchId ?? null,
  };
}

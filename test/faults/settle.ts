import { until } from '../../dev/until.ts';
import type { Bed } from './bed.ts';
import { PARTITIONS } from './bed.ts';
import { type FinalEntry, nameOf, type State, type Value } from './history.ts';
import { asValue } from './outcome.ts';

const DRAIN_MS = 45_000;
const AT_ONCE = 24;
const ANSWER_MS = 30_000;

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
  const path = ({ collection, key }: EntryName) =>
    `/v1/collections/${collection}/entries/${encodeURIComponent(key)}`;
  // The cache first: the reads below fill it.
  const explanations = await atOnce(names, (name) => explain(`${bed.apis[0]?.url}${path(name)}/explanation`));
  const [rows, deadLetters] = await Promise.all([rowsOf(bed, names), deadLettersOf(bed, names)]);
  // After the rows: pruning may go on all the while.
  const pruneFloor = await pruneFloorOf(bed);
  const reads = await atOnce(names, (name) =>
    Promise.all(bed.apis.map(async ({ url }, api) => ({ api, ...(await readFrom(`${url}${path(name)}`)) }))),
  );
  return names.map((name, i) => ({
    ...{ collection: name.collection, key: name.key },
    row: rows.get(nameOf(name)) ?? null,
    cached: explanations[i]?.cached ?? null,
    pendingIn: explanations[i]?.pendingIn ?? null,
    reads: reads[i] ?? [],
    deadLetters: deadLetters.get(nameOf(name)) ?? [],
    pruneFloor,
  }));
}

/** `work` for each item, several at once; the results in the order of the items. */
async function atOnce<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let i = 0; i < items.length; i += AT_ONCE) {
    results.push(...(await Promise.all(items.slice(i, i + AT_ONCE).map(work))));
  }
  return results;
}

async function rowsOf(bed: Bed, names: readonly EntryName[]): Promise<ReadonlyMap<string, State>> {
  type Row = EntryName & {
    readonly version: string;
    readonly value: string | null;
    readonly deleted: boolean;
  };
  const select = (table: string) =>
    `SELECT collection, key, version, value::text, deleted FROM ${table} WHERE key = ANY($1)`;
  const { rows } = await bed.db.query<Row>(`${select('documents')} UNION ALL ${select('counters')}`, [
    names.map(({ key }) => key),
  ]);
  return new Map(
    rows.map((row) => [
      nameOf(row),
      {
        version: Number(row.version),
        value: row.deleted || row.value === null ? null : asValue(JSON.parse(row.value)),
      },
    ]),
  );
}

/** The highest version of a deletion whose row was pruned. */
export async function pruneFloorOf(bed: Bed): Promise<number> {
  const { rows } = await bed.db.query<{ floor: string }>('SELECT floor FROM pruning');
  return Number(rows[0]?.floor);
}

async function deadLettersOf(bed: Bed, names: readonly EntryName[]): Promise<ReadonlyMap<string, number[]>> {
  const { rows } = await bed.db.query<EntryName & { readonly version: string }>(
    'SELECT collection, key, version FROM dead_letters WHERE key = ANY($1)',
    [names.map(({ key }) => key)],
  );
  const versions = new Map<string, number[]>();
  for (const row of rows)
    versions.set(nameOf(row), [...(versions.get(nameOf(row)) ?? []), Number(row.version)]);
  return versions;
}

/** A busy machine may need more than one try: what is asked is what a process reads, not whether it answers in time. */
async function readFrom(url: string): Promise<{ readonly version?: number; readonly value: Value }> {
  const answer = await until(() => answered(url), { what: `${url} to be read`, timeoutMs: ANSWER_MS });
  if (answer.status === 404) return { value: null };
  const version = Number(answer.headers.get('etag')?.slice(1, -1));
  return { version, value: asValue(await answer.json()) };
}

/** @throws Error where it is a problem, but for an absent entry. */
async function answered(url: string): Promise<Response> {
  const answer = await fetch(url);
  if (answer.ok || answer.status === 404) return answer;
  throw new Error(`${answer.status} ${await answer.text()}`);
}

async function explain(url: string): Promise<{ cached: State | null; pendingIn: string | null }> {
  const answer = await until(() => answered(url), { what: `${url} to be explained`, timeoutMs: ANSWER_MS });
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

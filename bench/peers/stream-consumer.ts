import { Redis } from 'ioredis';
import { createEntries, pool } from './entries-table.ts';
import { GROUP, STREAM } from './stream-name.ts';

/** The consumer of peer (e): up to 1,000 items in one upsert, then they leave the stream. */
const redis = new Redis(process.env.REDIS_URL ?? '');
type Item = [id: string, fields: string[]];

await createEntries();
await redis.xgroup('CREATE', STREAM, GROUP, '0', 'MKSTREAM').catch((error: Error) => {
  if (!error.message.startsWith('BUSYGROUP')) throw error;
});

async function readItems(from: '0' | '>'): Promise<Item[]> {
  const read = redis.xreadgroup(
    ...(['GROUP', GROUP, 'only', 'COUNT', 1_000, 'BLOCK', 1_000, 'STREAMS', STREAM, from] as const),
  );
  const streams = (await read) as [name: string, items: Item[]][] | null;
  return streams?.[0]?.[1] ?? [];
}

async function persist(items: readonly Item[]): Promise<void> {
  // A statement may not update a row twice: of two writes of one entry the later one counts.
  const values = new Map(items.map(([, [, key = '', , value = '']]) => [key, value]));
  await pool.query({
    name: 'upsert-many',
    text: `INSERT INTO entries (key, value) SELECT * FROM unnest($1::text[], $2::jsonb[])
      ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = now()`,
    values: [[...values.keys()], [...values.values()]],
  });
  const ids = items.map(([id]) => id);
  await redis
    .multi()
    .xack(STREAM, GROUP, ...ids)
    .xdel(STREAM, ...ids)
    .exec();
}

process.on('SIGTERM', () => process.exit(0));
// What a former process read and did not finish comes first.
for (let items = await readItems('0'); items.length > 0; items = await readItems('0')) await persist(items);
for (;;) {
  const items = await readItems('>');
  if (items.length > 0) await persist(items);
}

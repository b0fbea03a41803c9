import { Redis } from 'ioredis';
import { until } from '../../../dev/until.ts';
import type { FaultContext, Scenario } from '../scenario.ts';

const POISON = 'faults_no_poison';

/** From now on PostgreSQL refuses the values that the workload poisons. */
export async function refusePoison({ bed }: FaultContext): Promise<void> {
  await bed.db.query(
    `ALTER TABLE documents ADD CONSTRAINT ${POISON} CHECK (value->>'token' NOT LIKE 'poison-%') NOT VALID`,
  );
}

/** PostgreSQL takes what it refused. */
export async function takePoison({ bed }: FaultContext): Promise<void> {
  await bed.db.query(`ALTER TABLE documents DROP CONSTRAINT IF EXISTS ${POISON}`);
}

const MISSES = 1_000;
/** One of them reads the row; the others, on both processes, wait for what it puts into the cache. */
const MOST_READS = 1;

/** Counts the statements that name the key on their way to PostgreSQL. */
async function missTogether({ bed, prefix, pause, begin, end, complain }: FaultContext): Promise<void> {
  await pause(200, 600);
  const key = `${prefix}missed`;
  const path = `/v1/collections/carts/entries/${key}`;
  const urls = bed.apis.map(({ url }) => `${url}${path}`);
  const written = await fetch(urls[0] ?? '', {
    method: 'PUT',
    headers: { 'content-type': 'application/json', prefer: 'durability=persisted' },
    body: '{"token":"missed"}',
  });
  if (written.status >= 300 || written.status === 202) return;
  const client = new Redis({ port: bed.redis.port, host: '127.0.0.1' });
  try {
    const copies = await until(() => client.keys(`*carts/${key}`), { what: 'the cached copy' });
    await client.del(...copies);
  } finally {
    client.disconnect();
  }
  let statements = 0;
  void bed.postgresProxy?.cutOn('request', (bytes) => {
    for (let at = bytes.indexOf(key); at >= 0; at = bytes.indexOf(key, at + 1)) statements++;
    return false;
  });
  begin();
  const answers = await Promise.all(
    Array.from({ length: MISSES }, async (_, i) => {
      const answer = await fetch(urls[i % urls.length] ?? '');
      return { status: answer.status, text: await answer.text() };
    }),
  );
  await pause(500, 500);
  end();
  const wrong = answers.filter(({ status, text }) => status !== 200 || !text.includes('missed'));
  if (wrong.length > 0)
    complain(`${wrong.length} of ${MISSES} misses failed, the first: ${JSON.stringify(wrong[0])}`);
  if (statements === 0) complain('no database read was seen: the copies were not dropped');
  if (statements > MOST_READS) complain(`${MISSES} parallel misses made ${statements} database reads`);
}

export const dataScenarios: readonly Scenario[] = [
  {
    name: 'poison',
    promises:
      'Writes that PostgreSQL refuses lie among good ones: they are set aside, and the others are persisted.',
    bed: { redis: 'always' },
    minimumDuring: 200,
    workload: { poison: 0.08 },
    prepare: refusePoison,
    async fault({ pause, begin, end }) {
      begin();
      await pause(3_000, 4_000);
      end();
    },
    async afterwards(context) {
      const { bed, prefix, complain } = context;
      const { rows } = await bed.db.query<{ count: string; wrong: string }>(
        `SELECT count(*), count(*) FILTER (WHERE value NOT LIKE '%poison-%') AS wrong FROM dead_letters WHERE key LIKE $1`,
        [`${prefix}%`],
      );
      if (Number(rows[0]?.count) === 0) complain('no dead letter: nothing was refused');
      if (Number(rows[0]?.wrong) > 0) complain(`${rows[0]?.wrong} good writes are among the dead letters`);
      await takePoison(context);
    },
  },
  {
    name: 'thousand-misses',
    promises: `${MISSES} parallel misses of one key, on two API processes under load, make one database read.`,
    bed: { redis: 'always', proxied: ['postgres'] },
    minimumDuring: 10,
    workload: { clients: 8 },
    fault: missTogether,
  },
];

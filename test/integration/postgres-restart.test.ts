import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { createHttpClient } from '../faults/http-client.ts';
import { inParallel } from '../support/clients.ts';
import { type PostgresTestServer, startPostgres } from '../support/services-postgres.ts';
import { entryUrl, type System, startSystem } from '../support/system.ts';

const KEYS = 5_000;
const ROUNDS = 8;
const COUNTERS = 20;
const INCREMENTS = 10_000;

let postgres: PostgresTestServer;
let system: System;
beforeAll(async () => {
  postgres = await startPostgres();
  system = await startSystem({ databaseUrl: postgres.url });
});
afterAll(async () => {
  await system.stop();
  await postgres.stop();
});

test('PostgreSQL restarted in the middle of 50,000 writes: all arrive, once each, versions in order', async () => {
  // Every change of a row, as the database saw it.
  await system.db.query(`
    CREATE TABLE changes (key text, before bigint, after bigint);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO changes VALUES (NEW.key, CASE TG_OP WHEN 'UPDATE' THEN OLD.version ELSE 0 END, NEW.version);
      RETURN NULL; END $$;
    CREATE TRIGGER note AFTER INSERT OR UPDATE ON documents FOR EACH ROW EXECUTE FUNCTION note();
    CREATE TRIGGER note AFTER INSERT OR UPDATE ON counters FOR EACH ROW EXECUTE FUNCTION note();`);

  const versions = new Map<string, number>();
  const given = new Set<number>();
  let done = 0;
  const restart = until(() => done > 15_000, { what: '15,000 writes', timeoutMs: 120_000, everyMs: 5 }).then(
    () => postgres.restart(),
  );
  // Cheaper than fetch: this process must not be what takes the time.
  const http = createHttpClient({ keepAlive: true });
  const send = async (method: string, url: string, durability: string, body?: unknown) => {
    const answer = await http.send({
      ...{ method, url, headers: { prefer: `durability=${durability}` }, timeoutMs: 60_000 },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if ('error' in answer) throw new Error(answer.error);
    return { status: answer.status, text: answer.body, json: JSON.parse(answer.body) };
  };
  const puts = inParallel(KEYS, 60, async (i) => {
    for (let round = 0; round < ROUNDS; round++) {
      const key = `k${i}`;
      const put = await send('PUT', entryUrl(system.url, 'carts', key), 'cached', { i, round });
      expect(put.status, put.text).toBe(202);
      expect(put.json.version).toBeGreaterThan(versions.get(key) ?? 0);
      versions.set(key, put.json.version);
      given.add(put.json.version);
      done++;
    }
  });
  const increments = inParallel(INCREMENTS, 200, async (i) => {
    const url = `${entryUrl(system.url, 'page-views', `c${i % COUNTERS}`)}/increment`;
    const posted = await send('POST', url, 'queued');
    expect([200, 202], posted.text).toContain(posted.status);
    given.add(posted.json.version);
    done++;
  });
  await Promise.all([puts, increments, restart]).finally(() => http.close());
  expect(given.size).toBe(KEYS * ROUNDS + INCREMENTS);

  const expected = [...versions].map(([key, version]) => `${key}@${version}`).sort();
  await until(
    async () => {
      const { rows } = await system.db.query(
        `SELECT count(*)::int AS n FROM documents WHERE (value->>'round')::int = $1`,
        [ROUNDS - 1],
      );
      return rows[0]?.n === KEYS;
    },
    { what: 'the last version of every cart', timeoutMs: 60_000 },
  );
  const { rows } = await system.db.query<{ key: string; version: string }>(
    'SELECT key, version FROM documents',
  );
  expect(rows.map((row) => `${row.key}@${row.version}`).sort()).toEqual(expected);
  await until(
    async () =>
      (await system.db.query('SELECT sum(value)::int AS n FROM counters')).rows[0]?.n === INCREMENTS,
    { what: 'all increments', timeoutMs: 30_000 },
  );
  const counters = await system.db.query('SELECT DISTINCT value::int FROM counters');
  expect(counters.rows).toEqual([{ value: INCREMENTS / COUNTERS }]);

  const wrong = await system.db.query('SELECT * FROM changes WHERE after <= before');
  expect(wrong.rows).toEqual([]);
  const invented = await system.db.query<{ after: string }>('SELECT after FROM changes');
  expect(invented.rows.filter((row) => !given.has(Number(row.after)))).toEqual([]);
}, 240_000);

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { call, entryUrl, type System, startSystem } from '../support/system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
});
afterAll(() => system.stop());

describe('a system that runs', () => {
  test('a cart is queued, and its row is in PostgreSQL within a second', async () => {
    const url = entryUrl(system.url, 'carts', 'c1');
    // The first write also waits for the recovery of the empty Redis, and its batch for a worker that never ran a workflow.
    const warm = { body: 1, headers: { prefer: 'durability=persisted' } };
    await call('PUT', entryUrl(system.url, 'carts', 'warm-up'), warm);
    const put = await call('PUT', url, { body: '{"items": [9007199254740993]}' });
    // A worker may be faster than the confirmation that the batch is queued; then the answer says so.
    const expected = put.status === 200 ? 'persisted' : 'queued';
    expect([200, 202]).toContain(put.status);
    expect(put.json).toMatchObject({ collection: 'carts', key: 'c1', state: expected });
    expect(put.headers.get('etag')).toBe(`"${put.json.version}"`);
    const row = await until(
      async () =>
        (
          await system.db.query(
            `SELECT value::text, version FROM documents WHERE collection='carts' AND key='c1'`,
          )
        ).rows[0],
      { what: 'the row', timeoutMs: 1_000 },
    );
    expect(row).toEqual({ value: '{"items": [9007199254740993]}', version: String(put.json.version) });
    expect((await call('GET', url)).text).toBe('{"items": [9007199254740993]}');
  });

  test('an order is in PostgreSQL when its answer arrives', async () => {
    const url = entryUrl(system.url, 'orders', 'o1');
    const put = await call('PUT', url, { body: { total: 12.5 } });
    expect(put.status).toBe(201);
    expect(put.json.state).toBe('persisted');
    const { rows } = await system.db.query(
      `SELECT value FROM documents WHERE collection='orders' AND key='o1'`,
    );
    expect(rows).toEqual([{ value: { total: 12.5 } }]);
    expect((await call('GET', url)).text).toBe('{"total":12.5}');
    expect((await call('DELETE', url)).status).toBe(200);
    expect((await call('GET', url)).status).toBe(404);
  });

  test('1,000 concurrent increments of one counter give exactly 1000, in far fewer than 100 row updates', async () => {
    const url = `${entryUrl(system.url, 'page-views', 'home')}/increment`;
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => call('POST', url)));
    expect(new Set(answers.map((a) => a.json.state))).toEqual(new Set(['cached']));
    expect(new Set(answers.map((a) => a.json.value)).size).toBe(1_000);
    expect((await call('GET', entryUrl(system.url, 'page-views', 'home'))).text).toBe('1000');
    await until(
      async () =>
        (await system.db.query(`SELECT value FROM counters WHERE key='home'`)).rows[0]?.value === '1000',
      { what: 'the row to show 1000' },
    );
    const { rows } = await system.db.query(
      `SELECT n_tup_ins + n_tup_upd AS writes FROM pg_stat_all_tables WHERE relname = 'counters'`,
    );
    expect(Number(rows[0]?.writes)).toBeLessThan(30);
  });
});

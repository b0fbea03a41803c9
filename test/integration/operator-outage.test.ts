import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { sumOf } from '../support/prometheus-text.ts';
import { type PostgresTestServer, startPostgres } from '../support/services-postgres.ts';
import { type Answer, call, entryUrl, type System, startSystem } from '../support/system.ts';

let postgres: PostgresTestServer;
let system: System;
beforeAll(async () => {
  postgres = await startPostgres();
  system = await startSystem({
    apis: 2,
    databaseUrl: postgres.url,
    env: {
      PARTITIONS: '2',
      TEMPORAL_TIMEOUT_MS: '2000',
      CLOCK_TOLERANCE_MS: '100',
      REQUEST_DEADLINE_MS: '6000',
    },
  });
});
afterAll(async () => {
  await system.stop();
  await postgres.stop();
});

const put = (key: string, body: unknown, durability = 'queued', api = 0) =>
  call('PUT', entryUrl(system.apis[api]?.url ?? '', 'carts', key), {
    body,
    headers: { prefer: `durability=${durability}` },
  });
const ops = (method: string, path: string, body?: unknown) =>
  call(method, `${system.url}/ops/v1/${path}`, body === undefined ? {} : { body });
const summary = async () => (await ops('GET', 'summary')).json;
const allPersisted = () =>
  until(async () => (await summary()).allPersisted === true, { what: 'all is persisted', timeoutMs: 30_000 });

test('PostgreSQL stops under load: the summary shows age and reason; it is back: a retry clears a batch at once', async () => {
  await put('before', 1, 'persisted');
  await postgres.stop();
  const began = Date.now();
  let writing = true;
  const load = (async () => {
    for (let i = 0; writing; i += 1) {
      await Promise.all(Array.from({ length: 5 }, (_, j) => put(`load-${i}-${j}`, i, 'queued', j % 2)));
    }
  })();
  const seen = await until(
    async () => {
      const now = await summary();
      return now.oldestAgeSeconds > 1 && now.newestError !== null && now.batches.retrying > 0
        ? now
        : undefined;
    },
    { what: 'the summary shows the outage', timeoutMs: 15_000 },
  );
  expect(Date.now() - began).toBeLessThan(15_000);
  writing = false;
  await load;
  expect(seen).toMatchObject({
    allPersisted: false,
    newestError: { type: 'unreachable' },
    deadLetters: null,
    rowsWritten: null,
  });
  expect(seen.newestError.message).toMatch(/ECONNREFUSED|Connection terminated/);
  expect(seen.unknown).toMatchObject([{ dependency: 'postgres' }]);
  expect(seen.pendingEntries).toBeGreaterThan(0);

  const patient = await until(
    async () => {
      const { batches } = (await ops('GET', 'batches?state=retrying')).json;
      return batches.find(
        (one: { nextAttemptAt: string | null }) => Date.parse(one.nextAttemptAt ?? '') > Date.now() + 5_000,
      );
    },
    { what: 'a batch waits for more than 5 s', timeoutMs: 30_000 },
  );
  const shown = (await ops('GET', `batches/${patient.workflowId}?limit=1`)).json;
  expect(shown).toMatchObject({
    batchId: patient.batchId,
    state: 'retrying',
    lastError: { type: 'unreachable' },
    collections: ['carts'],
  });
  expect(shown.writes).toHaveLength(1);
  expect(shown.counts).toMatchObject({ total: shown.entries, pending: shown.entries });
  expect(shown.uiUrl).toContain(encodeURIComponent(patient.workflowId));

  await postgres.start();
  const retried = await ops('POST', `batches/${patient.workflowId}/retry`);
  expect([retried.status, retried.json.workflowId]).toEqual([200, patient.workflowId]);
  const cleared = Date.now();
  await until(
    async () => {
      const { status, json } = await ops('GET', `batches/${patient.workflowId}`);
      return status === 404 || json.batchId !== patient.batchId;
    },
    { what: 'the batch is persisted', timeoutMs: 4_000 },
  );
  expect(Date.now() - cleared).toBeLessThan(4_000);
  const { batches } = (await ops('GET', 'batches')).json;
  for (const { workflowId } of batches) await ops('POST', `batches/${workflowId}/retry`);
  await allPersisted();
  await until(async () => (await summary()).rowsWritten >= seen.pendingEntries, {
    what: 'the summary counts the rows',
    // A connection of PostgreSQL that has nothing more to do tells its last second's statistics after ten seconds.
    timeoutMs: 20_000,
  });
  const { actions } = (await ops('GET', 'actions')).json;
  expect(actions.at(-1)).toMatchObject({ action: 'retry-batch', by: expect.stringMatching(/^api /) });
});

test('a poison write is in the dead letters with its reason, its neighbours are persisted, and a correction takes its place', async () => {
  await system.db.query(`ALTER TABLE documents ADD CONSTRAINT no_poison CHECK (value <> '"poison"'::jsonb)`);
  await put('poisoned', '"former"', 'persisted');
  await Promise.all([
    put('poisoned', '"poison"'),
    ...Array.from({ length: 5 }, (_, i) => put(`neighbour-${i}`, i)),
  ]);
  expect((await ops('POST', 'flush')).json.persisted).toBe(true);
  await until(async () => (await summary()).deadLetters?.dead === 1, { what: 'the summary counts it' });
  for (let i = 0; i < 5; i += 1) {
    const { rows } = await system.db.query('SELECT value FROM documents WHERE key = $1', [`neighbour-${i}`]);
    expect(rows).toEqual([{ value: i }]);
  }
  const [letter] = (await ops('GET', 'dead-letters?state=dead')).json.deadLetters;
  expect(letter).toMatchObject({ key: 'poisoned', sqlstate: '23514', value: '"poison"' });
  expect((await ops('GET', `dead-letters/${letter.id}`)).json).toEqual(letter);

  const path = `dead-letters/${letter.id}/correction`;
  expect((await ops('POST', path, '"poison"')).status).toBe(400);
  const corrected = await ops('POST', path, '"healed"');
  expect([corrected.status, corrected.json.resolved]).toEqual([200, true]);
  expect(corrected.json.version).toBeGreaterThan(letter.version);
  expect((await call('GET', entryUrl(system.url, 'carts', 'poisoned'))).text).toBe('"healed"');
  // As after an answer that was lost on its way: the same value is the same correction, another one is not.
  const repeated = await ops('POST', path, '"healed"');
  expect([repeated.status, repeated.json]).toEqual([200, corrected.json]);
  expect((await ops('POST', path, '"otherwise"')).json.code).toBe('dead-letter-discarded');
  expect((await call('GET', entryUrl(system.url, 'carts', 'poisoned'))).text).toBe('"healed"');

  // The second letter is of the correction that was refused, too; the entry was written since.
  const [second] = (await ops('GET', 'dead-letters?state=dead')).json.deadLetters;
  const late = await ops('POST', `dead-letters/${second.id}/correction`, '"late"');
  expect([late.status, late.json.code]).toEqual([412, 'precondition-failed']);
  expect((await call('GET', entryUrl(system.url, 'carts', 'poisoned'))).text).toBe('"healed"');
});

test('a correction that broke off before the dead letter was given up is found, not made again', async () => {
  await put('again', '"poison"');
  expect((await ops('POST', 'flush')).json.persisted).toBe(true);
  const letter = (await ops('GET', 'dead-letters?state=dead')).json.deadLetters.at(-1);
  const path = `dead-letters/${letter.id}/correction`;
  const first = await ops('POST', path, '"healed"');
  await system.db.query(`UPDATE dead_letters SET state = 'dead', reason = NULL WHERE id = $1`, [letter.id]);
  const repeated = await ops('POST', path, '"healed"');
  expect([repeated.status, repeated.json]).toEqual([200, first.json]);
});

test('a batch that PostgreSQL refuses for good is stuck, says why, and a retry clears it once the cause is gone', async () => {
  await system.db.query('ALTER TABLE documents RENAME TO documents_gone');
  await put('homeless', 1);
  const [stuck] = await until(
    async () => {
      const { batches } = (await ops('GET', 'batches?state=stuck')).json;
      return batches[0]?.lastError ? batches : undefined;
    },
    { what: 'the batch is stuck', timeoutMs: 15_000 },
  );
  expect(stuck.lastError).toMatchObject({ type: '42P01', message: expect.stringMatching(/does not exist/) });
  await until(async () => (await summary()).batches.stuck === 1, { what: 'the summary counts it' });
  await system.db.query('ALTER TABLE documents_gone RENAME TO documents');
  expect((await ops('POST', `batches/${stuck.workflowId}/retry`)).status).toBe(200);
  expect((await ops('POST', 'flush')).json).toEqual({ persisted: true, left: [] });
});

test('a drain on one process refuses on the other, also when Redis lost its memory, until it is ended', async () => {
  expect((await put('before-drain', 1, 'cached')).status).toBe(202);
  expect((await ops('POST', 'drain')).json).toMatchObject({
    draining: true,
    by: expect.stringMatching(/^api /),
  });
  const refused = async (api: number) => {
    const { status, json, headers } = await put('during', 1, 'queued', api);
    return [status, json.code, headers.has('retry-after')];
  };
  for (const api of [0, 1]) expect(await refused(api)).toEqual([503, 'draining', true]);
  const order = await call('PUT', entryUrl(system.apis[1]?.url ?? '', 'orders', 'o-1'), { body: {} });
  expect(order.status).toBe(201);
  const ready = await call('GET', `${system.apis[1]?.url}/readyz`);
  expect([ready.status, ready.json.draining]).toEqual([200, true]);
  expect((await ops('POST', 'flush')).json).toEqual({ persisted: true, left: [] });
  expect(await until(async () => (await summary()).draining, { what: 'the summary says so' })).toBe(true);
  const figure = async () => sumOf((await call('GET', `${system.url}/metrics`)).text, 'holdfast_draining');
  await until(async () => (await figure()) === 1, { what: 'the figure that an alert looks at' });

  await system.redis.restart({ keepData: false });
  for (const api of [1, 0]) {
    await until(async () => (await refused(api))[1] === 'draining', {
      what: 'Redis is back',
      timeoutMs: 15_000,
    });
  }
  expect((await ops('DELETE', 'drain')).json.draining).toBe(false);
  for (const api of [0, 1]) expect((await put('after', api, 'queued', api)).status).toBe(202);
  expect((await ops('POST', 'flush')).json).toEqual({ persisted: true, left: [] });
});

test('ten thousand dead letters are counted, and listed in pages', async () => {
  await system.db.query(`
    INSERT INTO dead_letters (collection, key, partition, batch_id, version, kind, value, sqlstate, message)
    SELECT 'carts', 'many-' || n, 0, 'none', n, 'document', '1', '23514', 'refused' FROM generate_series(1, 10000) AS n`);
  const { rows } = await system.db.query<{ n: number }>(
    `SELECT count(*)::integer AS n FROM dead_letters WHERE state = 'dead'`,
  );
  const seen = new Set<number>();
  for (let after: number | null = 0; after !== null; ) {
    const page: Answer['json'] = (await ops('GET', `dead-letters?state=dead&after=${after}&limit=200`)).json;
    for (const { id } of page.deadLetters) seen.add(id);
    after = page.next;
  }
  expect(seen.size).toBe(rows[0]?.n);
  await until(async () => (await summary()).deadLetters?.dead === seen.size, { what: 'the count' });
});

test('a retry that no worker takes says so, and happens never', async () => {
  for (const worker of system.workers) await worker.stop();
  await put('unattended', 1);
  const [batch] = await until(
    async () => {
      const { batches } = (await ops('GET', 'batches?state=persisting')).json;
      return batches.length > 0 ? batches : undefined;
    },
    { what: 'the batch' },
  );
  const answer = await ops('POST', `batches/${batch.workflowId}/retry`);
  expect([answer.status, answer.json.dependency]).toEqual([503, 'temporal']);
  const flushed = await ops('POST', 'flush');
  expect(flushed.json).toMatchObject({ persisted: false, left: [{ batches: 1 }] });
});

test('a correction that no worker carries on is 202, and so is its repetition, with the same version', async () => {
  for (const worker of system.workers) await worker.stop();
  const { rows } = await system.db.query<{ id: string }>(`
    INSERT INTO dead_letters (collection, key, partition, batch_id, version, kind, value, sqlstate, message)
    VALUES ('carts', 'uncarried', 0, 'none', 2, 'document', '1', '23514', 'refused') RETURNING id`);
  const path = `dead-letters/${rows[0]?.id}/correction`;
  const first = await ops('POST', path, '"healed"');
  expect([first.status, first.json.state, first.json.resolved]).toEqual([202, 'queued', true]);
  const repeated = await ops('POST', path, '"healed"');
  expect([repeated.status, repeated.json]).toEqual([202, first.json]);
  const other = await ops('POST', path, '"otherwise"');
  expect([other.status, other.json.code]).toEqual([409, 'dead-letter-discarded']);
});

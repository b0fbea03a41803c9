import { randomBytes } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readEnvironment } from '../../config/environment.ts';
import { slotWorkflowId } from '../../config/temporal-names.ts';
import { until } from '../../dev/until.ts';
import { retryNow } from '../../storage/temporal/batch-control.ts';
import { connectTemporal } from '../../storage/temporal/client.ts';
import { call, entryUrl, type System, startSystem } from '../support/system.ts';

const newKey = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
const [FIRST, SECOND] = [newKey('first'), newKey('second')];
const WORKFLOW = slotWorkflowId(0, 0);

let system: System;
let connection: Connection;
/** Knows nothing of keys: what Temporal holds. */
let raw: Client;
beforeAll(async () => {
  system = await startSystem({ workers: 0, env: { PAYLOAD_ENCRYPTION_KEYS: FIRST, SLOTS: '2' } });
  connection = await Connection.connect({ address: system.env.TEMPORAL_ADDRESS ?? '' });
  raw = new Client({ connection, namespace: system.env.TEMPORAL_NAMESPACE ?? '' });
}, 60_000);
afterAll(async () => {
  await connection?.close();
  await system?.stop();
});

const put = (key: string, value: string, durability = 'queued') =>
  call('PUT', entryUrl(system.url, 'carts', key), {
    body: value,
    headers: { prefer: `durability=${durability}` },
  });
const history = async () => (await raw.workflow.getHandle(WORKFLOW).fetchHistory()).events ?? [];

const describeRaw = () =>
  connection.workflowService.describeWorkflowExecution({
    namespace: raw.options.namespace,
    execution: { workflowId: WORKFLOW },
  });

/** All bytes that Temporal holds of the batch, as text. */
async function everything(): Promise<string> {
  const { History } = temporal.api.history.v1;
  const bytes = History.encode(History.fromObject({ events: await history() })).finish();
  return Buffer.from(bytes).toString('latin1') + JSON.stringify(await describeRaw());
}

test('Temporal never sees a key, a value or a message, and a worker without the key waits for it with nothing lost', async () => {
  expect((await put('ada-lovelace', '"confidential"')).json).toMatchObject({ state: 'queued' });

  const keyless = await system.startWorker({ PAYLOAD_ENCRYPTION_KEYS: SECOND });
  const failed = await until(
    async () => (await history()).find((event) => event.workflowTaskFailedEventAttributes),
    { what: 'a workflow task that the worker cannot decode', timeoutMs: 30_000 },
  );
  expect(failed.workflowTaskFailedEventAttributes?.failure?.message).toBe(
    'a payload is encrypted with the key "first", which this process does not have',
  );
  await until(() => keyless.output().includes('encrypted with the key \\"first\\"'), {
    what: 'the worker to say so, too',
    timeoutMs: 10_000,
  });
  await keyless.stop();

  // The API process has the key, and reads what it wrote, also where the cache has lost it and no worker answers.
  await system.redis.restart({ keepData: false });
  const read = () => call('GET', entryUrl(system.url, 'carts', 'ada-lovelace'));
  await until(async () => (await read()).json === 'confidential', { what: 'the value', timeoutMs: 30_000 });

  await system.db.query('ALTER TABLE documents RENAME TO away');
  await system.startWorker({ PAYLOAD_ENCRYPTION_KEYS: `${SECOND},${FIRST}` });
  const refused = await until(async () => (await describeRaw()).pendingActivities?.[0]?.lastFailure, {
    what: 'an attempt that PostgreSQL refused',
    timeoutMs: 30_000,
  });
  expect(refused.message).toBe('Encoded failure');
  expect(await everything()).not.toMatch(/ada-lovelace|confidential|relation|documents/);
  await system.db.query('ALTER TABLE away RENAME TO documents');
  // The worker answers in its own first key.
  const env = { ...system.env, PAYLOAD_ENCRYPTION_KEYS: `${FIRST},${SECOND}` };
  const knowing = connectTemporal({ environment: readEnvironment(env) });
  await retryNow(knowing, WORKFLOW, 'test', 10_000);
  await knowing.close();
  await until(
    async () => (await system.db.query('SELECT value FROM documents')).rows[0]?.value === 'confidential',
    { what: 'the row', timeoutMs: 60_000 },
  );
}, 120_000);

test('an API process without the key says so, and writes past what it cannot read', async () => {
  const other = await system.startApi({ PAYLOAD_ENCRYPTION_KEYS: SECOND });
  const [started] = await history();
  const payload = started?.workflowExecutionStartedEventAttributes?.input?.payloads?.[1];
  const body = {
    payloads: [
      temporal.api.common.v1.Payload.toObject(temporal.api.common.v1.Payload.fromObject(payload ?? {}), {
        bytes: String,
      }),
    ],
  };
  const refused = await call('POST', `${other.url}/codec/decode`, { body });
  expect(refused.json.detail).toContain('add that key to PAYLOAD_ENCRYPTION_KEYS');
  const decoded = await call('POST', `${system.url}/codec/decode`, { body });
  const { metadata, data } = decoded.json.payloads[0];
  expect(Buffer.from(metadata.encoding, 'base64').toString()).toBe('json/plain');
  expect(JSON.parse(Buffer.from(data, 'base64').toString())).toEqual([
    'carts/ada-lovelace',
    expect.stringMatching(/^\d+ d "confidential"$/),
  ]);
  // Its own writes reach the database all the same: every worker has both keys.
  const written = await call('PUT', entryUrl(other.url, 'carts', 'grace'), {
    body: '1',
    headers: { prefer: 'durability=persisted' },
  });
  expect(written.json).toMatchObject({ state: 'persisted' });
}, 60_000);

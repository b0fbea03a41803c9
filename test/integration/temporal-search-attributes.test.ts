import { readFileSync } from 'node:fs';
import { ApplicationFailure } from '@temporalio/common';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { slotWorkflowId } from '../../config/temporal-names.ts';
import { until } from '../../dev/until.ts';
import type { Context } from '../../service/context.ts';
import { createSearchAttributeCheck } from '../../service/search-attribute-health.ts';
import { runRegister } from '../../storage/temporal/register-command.ts';
import { startBatch } from '../../storage/temporal/start-batch.ts';
import type { StatusAnswer } from '../../workflows/messages.ts';
import { PERSISTED } from '../workflow/fake-activities.ts';
import { installQuietRuntime } from '../workflow/harness.ts';
import { batch, createQueue, SEALED_AT, type TestQueue } from './temporal-queue.ts';

const deadlineMs = 10_000;
let queue: TestQueue;
let bare: TestQueue;
beforeAll(async () => {
  installQuietRuntime();
  [queue, bare] = await Promise.all([createQueue(), createQueue({ bare: true })]);
});
afterAll(() => Promise.all([queue?.close(), bare?.close()]));

const start = ({ temporal }: TestQueue, slot: number) =>
  startBatch(temporal, { batch: batch(slot), slot, sealedAt: SEALED_AT, deadlineMs });
const handleIn = ({ temporal }: TestQueue, slot: number) =>
  temporal.client.workflow.getHandle(slotWorkflowId(0, slot));

/** Its search attributes as Temporal shows them: those that are set, by name. */
async function attributes(of: TestQueue, slot: number): Promise<Record<string, unknown>> {
  const { typedSearchAttributes } = await handleIn(of, slot).describe();
  const own = typedSearchAttributes.getAll().filter(({ key }) => key.name.startsWith('Holdfast'));
  return Object.fromEntries(own.map(({ key, value }) => [key.name, value]));
}

async function eventTypes(slot: number): Promise<string[]> {
  const { events } = await handleIn(queue, slot).fetchHistory();
  return (events ?? []).flatMap((event) => Object.keys(event).filter((name) => name.endsWith('Attributes')));
}

const AT_START = {
  HoldfastState: 'persisting',
  HoldfastCollections: ['carts', 'page-views'],
  HoldfastPartition: 'p00',
  HoldfastOldestWrite: new Date(0),
};

it('a batch has its search attributes from the start, and none of its events is about them where all goes well', async () => {
  await start(queue, 0);
  expect(await attributes(queue, 0)).toEqual(AT_START);
  await queue.withWorker({}, () => handleIn(queue, 0).result());
  expect(await attributes(queue, 0)).toEqual(AT_START);
  const types = await eventTypes(0);
  expect(types).toHaveLength(6);
  expect(types.filter((name) => name.startsWith('upsert'))).toEqual([]);
});

it('a batch in trouble changes its state and cause, only when they change, and back again', async () => {
  await start(queue, 1);
  let trouble: Error | undefined = ApplicationFailure.retryable('connection refused', 'unreachable');
  const persistBatch = async ({ parked }: { readonly parked: boolean }) => {
    if (trouble === undefined) return PERSISTED;
    if (parked) throw ApplicationFailure.retryable('no such table (SQLSTATE 42P01)', '42P01');
    throw trouble;
  };
  await queue.withWorker({ persistBatch }, async () => {
    const reaches = (state: string, error: string) =>
      until(
        async () => {
          const { HoldfastState, HoldfastError } = await attributes(queue, 1);
          return HoldfastState === state && HoldfastError === error;
        },
        { what: `the search attributes ${state}, ${error}`, timeoutMs: 20_000 },
      );
    await reaches('retrying', 'unreachable');
    trouble = ApplicationFailure.nonRetryable('no such table (SQLSTATE 42P01)', 'permanent', '42P01');
    await reaches('stuck', '42P01');
    expect(await handleIn(queue, 1).query<StatusAnswer>('status')).toMatchObject({
      oldestWrite: '1970-01-01T00:00:00.000Z',
      lastFailure: 'permanent: no such table (SQLSTATE 42P01)',
    });
    trouble = undefined;
    await handleIn(queue, 1).executeUpdate('retryNow');
    await handleIn(queue, 1).result();
  });
  expect(await attributes(queue, 1)).toEqual({ ...AT_START, HoldfastState: 'releasing' });
  const upserts = (await eventTypes(1)).filter((name) => name.startsWith('upsert'));
  // retrying, stuck, retrying at the operator's word, and over.
  expect(upserts.length).toBeLessThanOrEqual(4);
});

it('every filter of docs/operations.md is one that the server takes, and they find what they name', async () => {
  const docs = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  const filters = (/```text\n([^`]+)```/.exec(docs)?.[1] ?? '').trim().split('\n');
  expect(filters.length).toBeGreaterThan(5);
  await start(queue, 2);
  const { client } = queue.temporal;
  for (const query of filters) for await (const _ of client.workflow.list({ query })) break;
  const open = filters.filter((filter) => /Running.*(Collections = 'carts'|OldestWrite <)/.test(filter));
  for (const query of open) {
    await until(
      async () => {
        for await (const { workflowId } of client.workflow.list({ query }))
          return workflowId === slotWorkflowId(0, 2);
        return false;
      },
      { what: `the batch by ${query}`, timeoutMs: 20_000 },
    );
  }
  expect(open).toHaveLength(2);
});

it('where the namespace does not know them, batches are started without, and readiness says so until they are registered', async () => {
  const { temporal, env } = bare;
  const ctx = { temporal, log: pino({ level: 'silent' }) } as unknown as Context;
  const check = createSearchAttributeCheck(ctx);
  expect(await start(bare, 0)).toMatchObject({ outcome: 'started' });
  expect(await attributes(bare, 0)).toEqual({});
  expect(temporal.attributes.wanted()).toBe(false);
  await expect(check()).rejects.toThrow('the namespace lacks HoldfastState (KEYWORD)');
  // Such a batch goes its way: it must not try to change what is not there.
  const persistBatch = async ({ parked }: { readonly parked: boolean }) => {
    if (parked) return PERSISTED;
    throw ApplicationFailure.nonRetryable('no such table', 'permanent', '42P01');
  };
  await bare.withWorker({ persistBatch }, () => handleIn(bare, 0).result());

  const lines: string[] = [];
  const command = {
    env: { ...env },
    print: (line: string) => void lines.push(line),
    printError: console.error,
  };
  expect(await runRegister(command)).toBe(0);
  expect(await runRegister(command)).toBe(0);
  expect(lines).toEqual([
    'registered HoldfastState (KEYWORD), HoldfastCollections (KEYWORD_LIST), HoldfastPartition (KEYWORD), HoldfastError (KEYWORD), HoldfastOldestWrite (DATETIME)',
    'search attributes are up to date',
  ]);
  await until(
    async () => {
      await handleIn(bare, 1)
        .terminate()
        .catch(() => {});
      await start(bare, 1);
      return (await attributes(bare, 1)).HoldfastState === 'persisting';
    },
    { what: 'a start with search attributes', timeoutMs: 20_000, everyMs: 500 },
  );
  await check();
}, 60_000);

it('what stands in the way of registering them is said, and fails only where trying again helps', async () => {
  const { temporal, env } = await createQueue({ bare: true });
  const said = { out: [] as string[], errors: [] as string[] };
  const command = {
    print: (line: string) => void said.out.push(line),
    printError: (line: string) => void said.errors.push(line),
  };
  const { namespace } = temporal.client.options;
  const searchAttributes = { HoldfastState: 3 };
  await temporal.client.connection.operatorService.addSearchAttributes({ namespace, searchAttributes });
  expect(await runRegister({ ...command, env: { ...env } })).toBe(0);
  expect(said.out[0]).toContain('HoldfastState (KEYWORD) is there with another type');
  expect(said.out[0]).toContain('temporal operator search-attribute create');
  expect(await runRegister({ ...command, env: { ...env, TEMPORAL_NAMESPACE: 'nowhere' } })).toBe(1);
  expect(await runRegister({ ...command, env: { TEMPORAL_ADDRESS: '127.0.0.1:1' } })).toBe(1);
  expect(said.errors).toHaveLength(2);
  await temporal.close();
}, 30_000);

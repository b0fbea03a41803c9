import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DatabaseError } from 'pg';
import { describe, expect, it } from 'vitest';
import { createActivities } from '../../activities/create-activities.ts';
import { packMutations } from '../../domain/packed-mutations.ts';
import { RedisUnavailable } from '../../storage/redis/errors.ts';
import { INPUT, MUTATIONS } from './harness.ts';

const batch = { id: INPUT.batchId, partition: 0, epoch: INPUT.epoch, mutations: MUTATIONS };
const quiet = () => {};
const mockEnvironment = () =>
  new MockActivityEnvironment(
    {},
    { logger: { log: quiet, trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet } },
  );
const never = async (): Promise<never> => {
  throw new Error('not expected');
};

function databaseError(code: string, message: string): DatabaseError {
  const error = new DatabaseError(message, message.length, 'error');
  error.code = code;
  error.detail = 'Failing row contains (carts, a, {"secret": 1}).';
  return error;
}

async function persistFailing(error: Error, parked = false): Promise<ApplicationFailure> {
  const { persistBatch } = createActivities({
    invalidate: never,
    persist: () => Promise.reject(error),
    release: never,
  });
  const thrown = await mockEnvironment()
    .run(persistBatch, { batch, parked })
    .catch((e: unknown) => e);
  if (!(thrown instanceof ApplicationFailure))
    throw new Error('expected an ApplicationFailure', { cause: thrown });
  return thrown;
}

it('a permanent error parks the batch, and is retried once the batch is parked', async () => {
  const error = databaseError('42P01', 'relation "documents" does not exist');
  expect(await persistFailing(error)).toMatchObject({ type: 'permanent', nonRetryable: true });
  expect(await persistFailing(error, true)).toMatchObject({ type: '42P01', nonRetryable: false });
});

it('other errors are retried, under a type that says what they are', async () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  expect(await persistFailing(refused)).toMatchObject({ type: 'unreachable', nonRetryable: false });
  expect(await persistFailing(databaseError('40P01', 'deadlock detected'))).toMatchObject({ type: '40P01' });
  expect(await persistFailing(new Error('who knows'))).toMatchObject({
    type: 'unexpected',
    nonRetryable: false,
  });
});

it('a failure carries no values into the history', async () => {
  const failure = await persistFailing(databaseError('42P01', 'relation "documents" does not exist'));
  expect(failure.cause).toBeUndefined();
  expect(JSON.stringify({ ...failure, message: failure.message, stack: failure.stack })).not.toContain(
    'secret',
  );
});

it('the messages of dead letters stay out of the history', async () => {
  const aside = { collection: 'carts', key: 'a', version: 2 };
  const { persistBatch } = createActivities({
    invalidate: never,
    persist: async () => ({
      outcome: 'persisted',
      setAside: [{ ...aside, sqlstate: '22P02', message: 'quotes a value' }],
    }),
    release: never,
  });
  const result = await mockEnvironment().run(persistBatch, { batch, parked: false });
  expect(result).toEqual({ outcome: 'persisted', setAside: [aside] });
});

it('a cancelled attempt ends at once, as cancelled', async () => {
  const environment = mockEnvironment();
  const { persistBatch } = createActivities({
    invalidate: never,
    persist: (_, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
        setImmediate(() => environment.cancel());
      }),
    release: never,
  });
  const thrown = await environment.run(persistBatch, { batch, parked: false }).catch((e: unknown) => e);
  expect(thrown).toBeInstanceOf(CancelledFailure);
});

it('a release that fails is always retryable', async () => {
  const { releaseBatch } = createActivities({
    invalidate: never,
    persist: never,
    release: () => Promise.reject(new RedisUnavailable('Redis is not connected')),
  });
  const release = {
    batchId: INPUT.batchId,
    partition: 0,
    entries: [],
    setAside: [],
    outcome: 'persisted' as const,
  };
  const thrown = await mockEnvironment()
    .run(releaseBatch, release)
    .catch((e: unknown) => e);
  expect(thrown).toMatchObject({
    type: 'RedisUnavailable',
    nonRetryable: false,
    message: 'Redis is not connected',
  });
});

describe('a batch that is carried in one go', () => {
  const packed = packMutations(MUTATIONS);
  const request = {
    ...{ batchId: INPUT.batchId, partition: 0, epoch: INPUT.epoch, parked: false },
    discarded: ['carts/b/c'],
  };
  const persisted = { outcome: 'persisted', setAside: [] } as const;
  const carry = (deps: Partial<Parameters<typeof createActivities>[0]>) =>
    mockEnvironment().run(
      createActivities({ invalidate: never, persist: never, release: never, ...deps }).carryBatch,
      request,
      packed,
    );

  it('is persisted and released without what was discarded', async () => {
    const calls: unknown[] = [];
    const result = await carry({
      async persist(batch) {
        calls.push(batch);
        return persisted;
      },
      async release(input) {
        calls.push(input);
      },
    });
    expect(result).toEqual({ ...persisted, released: true });
    const mutations = MUTATIONS.filter(({ key }) => key !== 'b/c');
    expect(calls).toMatchObject([
      { id: INPUT.batchId, partition: 0, epoch: INPUT.epoch, mutations },
      { batchId: INPUT.batchId, partition: 0, entries: mutations, ...persisted },
    ]);
  });

  it('is persisted, and says so, where Redis could not be told', async () => {
    const release = () => Promise.reject(new RedisUnavailable('gone'));
    expect(await carry({ persist: async () => persisted, release })).toEqual({
      ...persisted,
      released: false,
    });
  });

  it('is not released where it is not persisted', async () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    await expect(carry({ persist: () => Promise.reject(refused) })).rejects.toMatchObject({
      type: 'unreachable',
    });
  });
});

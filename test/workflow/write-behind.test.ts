import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ReleaseInput } from '../../activities/create-activities.ts';
import type { PendingAnswer, UpdateAnswer } from '../../workflows/messages.ts';
import { type FakePersistRequest, PERSISTED } from './fake-activities.ts';
import { type BatchHandle, createHarness, type Harness, INPUT, MUTATIONS, reaches } from './harness.ts';

const DAY = 24 * 60 * 60 * 1_000;
const [CART, TOMBSTONE, COUNTER] = MUTATIONS as [
  (typeof MUTATIONS)[0],
  (typeof MUTATIONS)[0],
  (typeof MUTATIONS)[0],
];

describe.each([1, 3] as const)('format %i:', (format) => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await createHarness(format);
  }, 60_000);
  afterAll(() => harness?.close());

  const unreachable = (nextRetryDelay?: string) =>
    ApplicationFailure.create({
      message: 'connection refused',
      type: 'unreachable',
      ...(nextRetryDelay === undefined ? {} : { nextRetryDelay: nextRetryDelay as '1 day' }),
    });
  const permanent = () => ApplicationFailure.nonRetryable('42P01: no such table', 'permanent');

  const pending = (handle: BatchHandle, ids?: string[]) =>
    handle.query<PendingAnswer, [string[]?]>('pending', ...((ids === undefined ? [] : [ids]) as [string[]?]));
  const retryNow = (handle: BatchHandle) => handle.executeUpdate<UpdateAnswer, []>('retryNow');
  const discard = (handle: BatchHandle, request: object) =>
    handle.executeUpdate<UpdateAnswer, [object]>('discard', { args: [request] });

  /** How many updates and activities the history holds: the test server keeps the tasks of refused updates, too. */
  const happened = async (handle: BatchHandle) => {
    const { events } = await handle.fetchHistory();
    return events?.filter(
      (event) =>
        event.workflowExecutionUpdateAcceptedEventAttributes ?? event.activityTaskScheduledEventAttributes,
    ).length;
  };

  /** A gate that stays shut until it is opened. */
  function gate() {
    let open = () => {};
    const passed = new Promise<void>((resolve) => {
      open = resolve;
    });
    return { passed, open };
  }

  /** PostgreSQL that is down until `up` is set. */
  function fakePostgres(failure: () => Error = () => unreachable()) {
    const calls: FakePersistRequest[] = [];
    const state = { up: false, calls };
    return {
      ...state,
      state,
      async persistBatch(request: FakePersistRequest) {
        calls.push(request);
        if (state.up) return PERSISTED;
        const error = failure();
        // What the real activity does while the batch is parked.
        if (request.parked && error instanceof ApplicationFailure && error.nonRetryable) {
          throw ApplicationFailure.retryable(error.message, error.type);
        }
        throw error;
      },
    };
  }

  function fakeRedis() {
    const calls: ReleaseInput[] = [];
    const state = { up: true, calls };
    return {
      state,
      calls,
      async releaseBatch(input: ReleaseInput) {
        calls.push(input);
        if (!state.up) throw ApplicationFailure.retryable('redis is away', 'unreachable');
      },
    };
  }

  describe('a batch whose PostgreSQL answers', () => {
    it('is persisted and released once, in the first workflow task', async () => {
      const postgres = fakePostgres();
      postgres.state.up = true;
      const redis = fakeRedis();
      await harness.run({ ...postgres, ...redis }, async (handle) => {
        expect(await handle.result()).toEqual({
          batchId: INPUT.batchId,
          outcome: 'persisted',
          setAside: [],
          discarded: [],
        });
        const { events } = await handle.fetchHistory();
        expect(events?.some((event) => event.activityTaskScheduledEventAttributes)).toBe(false);
      });
      expect(postgres.calls).toEqual([
        { batch: { id: INPUT.batchId, partition: 0, epoch: '1-abc', mutations: MUTATIONS }, parked: false },
      ]);
      expect(redis.calls).toEqual([
        {
          batchId: INPUT.batchId,
          partition: 0,
          entries: MUTATIONS.map(({ collection, key, version }) => ({ collection, key, version })),
          setAside: [],
          outcome: 'persisted',
        },
      ]);
    });

    it('names the dead letters in its result and in the release', async () => {
      const letter = { collection: CART.collection, key: CART.key, version: CART.version };
      const redis = fakeRedis();
      await harness.run(
        { ...redis, persistBatch: async () => ({ outcome: 'persisted', setAside: [letter] }) },
        async (handle) =>
          expect(await handle.result()).toMatchObject({ outcome: 'persisted', setAside: [letter] }),
      );
      expect(redis.calls).toMatchObject([{ setAside: [letter] }]);
    });

    it('that belongs to an ended epoch is released and completes as refused', async () => {
      const redis = fakeRedis();
      await harness.run(
        { ...redis, persistBatch: async () => ({ outcome: 'refused', setAside: [] }) },
        async (handle) => expect(await handle.result()).toMatchObject({ outcome: 'refused', setAside: [] }),
      );
      expect(redis.calls).toMatchObject([{ outcome: 'refused' }]);
    });
  });

  describe('a batch whose PostgreSQL is down', () => {
    it('outlasts thirty days and is then persisted once', async () => {
      const started = await harness.environment.currentTimeMs();
      let attempts = 0;
      let commits = 0;
      await harness.run(
        {
          async persistBatch() {
            attempts += 1;
            if ((await harness.environment.currentTimeMs()) < started + 30 * DAY) {
              // After forty attempts of the workflow's own backoff the rest is the same 40,000 times over: leap.
              throw unreachable(attempts > 40 ? '12 hours' : undefined);
            }
            commits += 1;
            return PERSISTED;
          },
        },
        async (handle) => {
          expect(await handle.result()).toMatchObject({ outcome: 'persisted' });
          // Retries inside one activity leave nothing in the history.
          expect((await handle.describe()).historyLength).toBeLessThan(20);
        },
      );
      expect(await harness.environment.currentTimeMs()).toBeGreaterThan(started + 30 * DAY);
      expect(attempts).toBeGreaterThan(80);
      expect(commits).toBe(1);
    }, 60_000);

    it('is tried again at once on retryNow, however long its backoff', async () => {
      const postgres = fakePostgres(() => unreachable('9 days'));
      await harness.run(postgres, async (handle) => {
        await reaches(handle, 'retrying');
        await vi.waitFor(() => expect(postgres.calls.length).toBe(2));
        postgres.state.up = true;
        const before = await harness.environment.currentTimeMs();
        expect(await retryNow(handle)).toEqual({ state: 'retrying', pending: 3 });
        await reaches(handle, 'done');
        expect((await harness.environment.currentTimeMs()) - before).toBeLessThan(DAY);
      });
    });

    it('survives a cancel request with its data', async () => {
      const postgres = fakePostgres();
      await harness.run(postgres, async (handle) => {
        await reaches(handle, 'retrying');
        await handle.cancel();
        await vi.waitFor(async () => {
          const { events } = await handle.fetchHistory();
          expect(events?.some((event) => event.workflowExecutionCancelRequestedEventAttributes)).toBe(true);
        });
        expect((await pending(handle)).mutations).toHaveLength(3);
        postgres.state.up = true;
        expect(await handle.result()).toMatchObject({ outcome: 'persisted' });
        expect((await handle.describe()).status.name).toBe('COMPLETED');
      });
      expect(postgres.calls.at(-1)?.batch.mutations).toEqual(MUTATIONS);
    });
  });

  describe('a batch that PostgreSQL refuses for good', () => {
    it('is stuck, says why, and goes on when an operator retries it', async () => {
      const postgres = fakePostgres(permanent);
      await harness.run(postgres, async (handle) => {
        expect(await reaches(handle, 'stuck')).toMatchObject({
          pending: 3,
          lastFailure: 'permanent: 42P01: no such table',
        });
        await vi.waitFor(() => expect(postgres.calls.at(-1)?.parked).toBe(true));
        expect((await handle.describe()).status.name).toBe('RUNNING');
        postgres.state.up = true;
        expect(await retryNow(handle)).toMatchObject({ pending: 3 });
        await reaches(handle, 'done');
      });
      expect(postgres.calls.at(-1)?.parked).toBe(false);
    });

    it('goes on by itself when the cause goes away', async () => {
      const started = await harness.environment.currentTimeMs();
      let commits = 0;
      await harness.run(
        {
          async persistBatch({ parked }) {
            if ((await harness.environment.currentTimeMs()) >= started + DAY) {
              commits += 1;
              return PERSISTED;
            }
            throw parked ? ApplicationFailure.retryable('no such table', '42P01') : permanent();
          },
        },
        async (handle) => expect(await handle.result()).toMatchObject({ outcome: 'persisted' }),
      );
      expect(commits).toBe(1);
    }, 30_000);

    const letter = { collection: CART.collection, key: CART.key, version: CART.version };
    it.each([
      ['nothing', null],
      ['an unknown outcome', { outcome: 'done', setAside: [] }],
      ['a bare outcome', { outcome: 'persisted' }],
      ['dead letters that are no list', { outcome: 'persisted', setAside: {} }],
      ['a dead letter that is nothing', { outcome: 'persisted', setAside: [letter, null] }],
      ['a dead letter without a key', { outcome: 'refused', setAside: [{ ...letter, key: undefined }] }],
      ['a version that is text', { outcome: 'persisted', setAside: [{ ...letter, version: '2' }] }],
    ])('does not take a result that an operator made up: %s', async (_, madeUp) => {
      const shut = gate();
      const postgres = { calls: 0 };
      await harness.run(
        {
          async persistBatch() {
            postgres.calls += 1;
            if (postgres.calls === 1) throw unreachable();
            if (postgres.calls === 2) await shut.passed;
            return PERSISTED;
          },
        },
        async (handle) => {
          await vi.waitFor(() => expect(postgres.calls).toBe(2));
          const [activity] = (await handle.describe()).raw.pendingActivities ?? [];
          await harness.environment.client.activity.complete(
            { workflowId: handle.workflowId, activityId: activity?.activityId ?? '' },
            madeUp,
          );
          await reaches(handle, 'done');
          shut.open();
        },
      );
      expect(postgres.calls).toBe(3);
    });
  });

  describe('a discard', () => {
    it('drops only what it names, and the release hears of it', async () => {
      const postgres = fakePostgres();
      const redis = fakeRedis();
      await harness.run({ ...postgres, ...redis }, async (handle) => {
        await reaches(handle, 'retrying');
        expect(await discard(handle, { ids: ['carts/b/c'], reason: 'poison' })).toEqual({
          state: 'retrying',
          pending: 2,
        });
        postgres.state.up = true;
        expect(await handle.result()).toMatchObject({
          outcome: 'persisted',
          discarded: [{ collection: 'carts', key: 'b/c', version: TOMBSTONE.version }],
        });
      });
      expect(postgres.calls.at(-1)?.batch.mutations).toEqual([CART, COUNTER]);
      expect(redis.calls.at(-1)?.entries).toHaveLength(3);
      expect(redis.calls.at(-1)?.setAside).toEqual([
        { collection: 'carts', key: 'b/c', version: TOMBSTONE.version },
      ]);
    });

    it('that overlaps an earlier one drops what is new; one without anything new leaves no trace', async () => {
      const postgres = fakePostgres(() => unreachable('1 day'));
      await harness.run(postgres, async (handle) => {
        await reaches(handle, 'retrying');
        await discard(handle, { ids: ['carts/a'], reason: 'poison' });
        const overlapping = { ids: ['carts/a', 'carts/b/c'], reason: 'poison' };
        expect(await discard(handle, overlapping)).toEqual({ state: 'retrying', pending: 1 });
        await vi.waitFor(() => expect(postgres.calls.at(-1)?.batch.mutations).toEqual([COUNTER]));
        const before = await happened(handle);
        const attempts = postgres.calls.length;
        await expect(discard(handle, overlapping)).rejects.toMatchObject({
          cause: { type: 'already-discarded' },
        });
        const stranger = { ids: ['carts/a', 'carts/z'], reason: 'x' };
        await expect(discard(handle, stranger)).rejects.toMatchObject({ cause: { type: 'refused' } });
        expect(await happened(handle)).toBe(before);
        expect(postgres.calls.length).toBe(attempts);
        postgres.state.up = true;
        await retryNow(handle);
        expect(await handle.result()).toMatchObject({ discarded: [{ key: 'a' }, { key: 'b/c' }] });
      });
    });

    it('of everything leads straight to the release', async () => {
      const postgres = fakePostgres(permanent);
      const redis = fakeRedis();
      await harness.run({ ...postgres, ...redis }, async (handle) => {
        await reaches(handle, 'stuck');
        await discard(handle, { ids: ['carts/a', 'carts/b/c', 'page-views/home'], reason: 'test data' });
        const attempts = postgres.calls.length;
        expect(await handle.result()).toMatchObject({ outcome: 'persisted', setAside: [] });
        expect(postgres.calls.length).toBe(attempts);
      });
      expect(redis.calls).toHaveLength(1);
      expect(redis.calls[0]?.setAside).toHaveLength(3);
    });

    it('waits for the attempt in flight, and what that committed is not written again', async () => {
      const shut = gate();
      let calls = 0;
      await harness.run(
        {
          async persistBatch() {
            calls += 1;
            if (calls === 1) throw unreachable();
            await shut.passed;
            return PERSISTED;
          },
        },
        async (handle) => {
          await vi.waitFor(() => expect(calls).toBe(2));
          await discard(handle, { ids: ['carts/a'], reason: 'too late' });
          shut.open();
          expect(await handle.result()).toMatchObject({ outcome: 'persisted' });
        },
      );
      expect(calls).toBe(2);
    });

    it('that arrives before the first workflow task is obeyed', async () => {
      const redis = fakeRedis();
      let update: Promise<unknown> | undefined;
      await harness.run(
        { ...redis, persistBatch: async () => PERSISTED },
        async (handle) => {
          await update;
          expect(await handle.result()).toMatchObject({ discarded: [{ key: 'a' }] });
        },
        {
          async beforeWorker(handle) {
            update = discard(handle, { ids: ['carts/a'], reason: 'early' });
            update.catch(() => {});
          },
        },
      );
    });
  });

  describe('an update', () => {
    const refusal = async (attempt: Promise<unknown>) => {
      const error = await attempt.then(
        () => undefined,
        (e: Error & { cause?: Error }) => e,
      );
      return error?.cause?.message;
    };

    it('that makes no sense is refused and changes nothing', async () => {
      const postgres = fakePostgres(() => unreachable('1 day'));
      await harness.run(postgres, async (handle) => {
        await reaches(handle, 'retrying');
        const ids = ['carts/a'];
        expect(await refusal(discard(handle, { ids, reason: ' ' }))).toMatch(/needs a reason/);
        expect(await refusal(discard(handle, { ids, reason: 'x'.repeat(501) }))).toMatch(/longer than 500/);
        expect(await refusal(discard(handle, { ids: [], reason: 'x' }))).toMatch(/at least one/);
        expect(await refusal(discard(handle, { ids: ['carts/a', 'carts/z'], reason: 'x' }))).toMatch(
          /1 of the named/,
        );
        expect(await refusal(discard(handle, { ids, reason: 'x', notAfter: 1 }))).toMatch(
          /after its deadline.*Nothing was changed.*clocks of Temporal and of the API process differ/,
        );
        expect((await pending(handle)).mutations).toEqual(MUTATIONS);
        postgres.state.up = true;
        await retryNow(handle);
        await reaches(handle, 'done');
      });
    });

    it('to retry is refused while nothing waits to be retried', async () => {
      let refused: Promise<string | undefined> | undefined;
      await harness.run(
        {},
        async (handle) => {
          expect(await refused).toMatch(/nothing is waiting/i);
          await handle.result();
        },
        {
          async beforeWorker(handle) {
            refused = refusal(retryNow(handle));
          },
        },
      );
    });

    it('to discard is refused once PostgreSQL has the batch', async () => {
      const redis = fakeRedis();
      redis.state.up = false;
      await harness.run(redis, async (handle) => {
        await reaches(handle, 'releasing');
        expect(await refusal(discard(handle, { ids: ['carts/a'], reason: 'late' }))).toMatch(
          /already settled/,
        );
        redis.state.up = true;
        await handle.result();
      });
    });
  });

  describe('what a batch says is pending', () => {
    it('shrinks with a discard, is empty once persisted, and stays so while the release fails', async () => {
      const postgres = fakePostgres();
      const redis = fakeRedis();
      redis.state.up = false;
      await harness.run({ ...postgres, ...redis }, async (handle) => {
        await reaches(handle, 'retrying');
        const { runId } = await handle.describe();
        expect(await pending(handle)).toEqual({ batchId: INPUT.batchId, runId, mutations: MUTATIONS });
        await discard(handle, { ids: ['carts/a'], reason: 'poison' });
        expect((await pending(handle)).mutations).toEqual([TOMBSTONE, COUNTER]);
        expect((await pending(handle, ['page-views/home', 'carts/a'])).mutations).toEqual([COUNTER]);
        postgres.state.up = true;
        await reaches(handle, 'releasing');
        expect((await pending(handle)).mutations).toEqual([]);
        await vi.waitFor(() => expect(redis.calls.length).toBeGreaterThan(2), { timeout: 10_000 });
        expect((await pending(handle)).mutations).toEqual([]);
        redis.state.up = true;
        await handle.result();
      });
    });

    it('shows neither keys nor values in the details for the Web UI', async () => {
      const postgres = fakePostgres(permanent);
      await harness.run(postgres, async (handle) => {
        await reaches(handle, 'stuck');
        const metadata = await handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata');
        const details = JSON.stringify(metadata);
        expect(details).toContain('Stuck');
        expect(details).toContain('3 writes · carts, page-views');
        expect(details).not.toMatch(/home|b\/c/);
        postgres.state.up = true;
        await retryNow(handle);
        await reaches(handle, 'done');
      });
    });
  });

  describe('a release', () => {
    it('that fails is retried until it is done', async () => {
      const redis = fakeRedis();
      let failures = 0;
      await harness.run(
        {
          async releaseBatch(input) {
            await redis.releaseBatch(input);
            if (failures++ < 60)
              throw ApplicationFailure.retryable('no valid epoch', 'dependency-unavailable');
          },
        },
        async (handle) => expect(await handle.result()).toMatchObject({ outcome: 'persisted' }),
      );
      expect(redis.calls.length).toBeGreaterThan(60);
    }, 30_000);
  });
});

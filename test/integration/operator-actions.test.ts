import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { slotWorkflowId } from '../../config/temporal-names.ts';
import { until } from '../../dev/until.ts';
import { startSweeper } from '../../service/sweeper.ts';
import { describeBatch } from '../../storage/temporal/describe-batch.ts';
import type { StatusAnswer } from '../../workflows/messages.ts';
import { CARTS, cached, createWorld, type Part, type World, within } from './rules-fixture.ts';

/**
 * What the buttons of the Temporal Web UI do to the data: the same calls, on real services. docs/operations.md says it in
 * words.
 */
let world: World;
let part: Part;
beforeEach(async () => {
  world = await createWorld();
  part = await world.part();
  // PostgreSQL answers, and has no room for a while: each attempt fails and is tried again.
  await sql`
    CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'Key (key)=(k) finds no room: "precious"' USING ERRCODE = 'disk_full'; END $$`.execute(
    part.ctx.db,
  );
  await sql`CREATE TRIGGER full_disk BEFORE INSERT ON documents EXECUTE FUNCTION full_disk()`.execute(
    part.ctx.db,
  );
  await part.behind.write(CARTS, 'k', '"precious"', cached());
  await part.flusher.flush(within(20_000));
});
afterEach(() => world.close());

const workflowId = slotWorkflowId(0, 0);
const mend = () => sql`DROP TRIGGER full_disk ON documents`.execute(part.ctx.db);
const handle = () => part.ctx.temporal.client.workflow.getHandle(workflowId);
const service = () => part.ctx.temporal.client.workflowService;
const place = () => ({
  namespace: part.ctx.temporal.client.options.namespace,
  execution: { workflowId },
  identity: 'a person',
});
const activity = async () => (await handle().describe()).raw.pendingActivities?.[0];
const read = async () => (await part.reader.read(CARTS, 'k', { deadlineAt: within(20_000) })).state.value;
const recorded = async () => Object.values(await world.raw.hgetall('hf:{p00}:sent'));

const described = () => describeBatch(part.ctx.temporal, { partition: 0, slot: 0, deadlineMs: 5_000 });

async function rows(): Promise<string[]> {
  const found = await sql<{ key: string }>`SELECT key FROM documents`.execute(part.ctx.db);
  return found.rows.map(({ key }) => key);
}

/** Waits for the regular activity, after so many failed attempts; answers its id. */
async function retrying(attempts = 1): Promise<string> {
  const pending = await until(
    async () => {
      const found = await activity();
      return found?.lastFailure && (found.attempt ?? 0) > attempts ? found : undefined;
    },
    { what: `${attempts} failed attempts`, timeoutMs: 20_000 },
  );
  return pending.activityId ?? '';
}

/** The batch has ended well: its row is there, and Redis knows. */
async function settled(): Promise<void> {
  expect(await handle().result()).toMatchObject({ outcome: 'persisted' });
  expect(await rows()).toEqual(['k']);
  expect(await recorded()).toEqual([]);
  expect(await world.raw.hlen('hf:{p00}:index')).toBe(0);
}

test('a stuck batch explains itself, and no message of PostgreSQL brings a value there', async () => {
  await world.withWorker(async () => {
    await retrying();
    const { lastFailure } = (await activity()) ?? {};
    const status = await handle().query<StatusAnswer>('status');
    const metadata = await handle().query<{ currentDetails?: string }>('__temporal_workflow_metadata');
    const details = metadata.currentDetails ?? '';
    expect(details).toMatch(/^\*\*Retrying\*\* · 1 write · carts/);
    expect(details).toContain('Pending Activities');
    expect(details).toContain(`- oldest write: ${status.oldestWrite}`);
    expect(details).toContain('SQLSTATE 53100');
    expect(Math.abs(Date.parse(status.oldestWrite ?? '') - Date.now())).toBeLessThan(60_000);
    expect(await (await handle().describe()).staticSummary()).toBe('1 write · carts · partition 0');
    for (const text of [
      details,
      JSON.stringify(status),
      lastFailure?.message ?? '',
      lastFailure?.stackTrace ?? '',
    ]) {
      expect(text).not.toMatch(/precious|\(k\)/);
    }
    await mend();
    await settled();
  });
}, 60_000);

test('pausing the activity holds the batch back with nothing lost; it is read all the same, and goes on after', async () => {
  await world.withWorker(async () => {
    const id = await retrying();
    await service().pauseActivity({ ...place(), id, reason: 'maintenance' });
    await until(async () => (await activity())?.paused, { what: 'the pause', timeoutMs: 20_000 });
    const { attempt } = (await activity()) ?? {};
    expect(await described()).toMatchObject({ state: 'retrying', paused: true });
    await mend();
    await world.raw.del('hf:{p00}:e:carts/k');
    expect(await read()).toBe('"precious"');
    // Longer than the pause between two attempts.
    const since = Date.now();
    await until(() => Date.now() - since > 2_500, { what: 'some time', timeoutMs: 5_000 });
    expect((await activity())?.attempt).toBe(attempt);
    expect(await rows()).toEqual([]);
    await service().unpauseActivity({ ...place(), id });
    await settled();
  });
}, 60_000);

test('resetting the activity begins its attempts anew, at once', async () => {
  await world.withWorker(async () => {
    const id = await retrying(2);
    await mend();
    await service().resetActivity({ ...place(), id });
    await settled();
  });
}, 60_000);

test('failing the activity by hand does not give the batch up: it waits as stuck, and is retried', async () => {
  await world.withWorker(async () => {
    const activityId = await retrying();
    const { namespace } = place();
    const failure = { message: 'given up by hand', applicationFailureInfo: { nonRetryable: true } };
    // Refused while it waits for its next attempt: the CLI has to be as patient.
    const fail = () =>
      service().respondActivityTaskFailedById({ namespace, workflowId, activityId, failure });
    await until(() => fail().then(() => true), {
      what: 'the failure to be taken',
      timeoutMs: 20_000,
      everyMs: 5,
    });
    await until(async () => (await handle().query<StatusAnswer>('status')).state === 'stuck', {
      what: 'the batch to be stuck',
      timeoutMs: 20_000,
    });
    expect(await read()).toBe('"precious"');
    await mend();
    await handle().executeUpdate('retryNow');
    await settled();
  });
}, 60_000);

test('failed by hand once more it waits without an activity, and is called stuck still', async () => {
  await world.withWorker(async () => {
    let last = await retrying();
    const { namespace } = place();
    const failure = { message: 'given up by hand', applicationFailureInfo: { nonRetryable: true } };
    const fail = (activityId: string) =>
      until(
        () =>
          service()
            .respondActivityTaskFailedById({ namespace, workflowId, activityId, failure })
            .then(() => true),
        { what: 'the failure to be taken', timeoutMs: 20_000, everyMs: 5 },
      );
    // Attempts hang meanwhile, so that they can be failed.
    await part.ctx.db.transaction().execute(async (trx) => {
      await sql`LOCK TABLE documents IN SHARE MODE`.execute(trx);
      await fail(last);
      last = await until(
        async () => {
          const id = (await activity())?.activityId;
          return id === last ? undefined : (id ?? undefined);
        },
        { what: 'the patient activity', timeoutMs: 20_000 },
      );
      expect((await described())?.state).toBe('stuck');
      await fail(last);
      await until(async () => (await activity()) === undefined, { what: 'no activity', timeoutMs: 20_000 });
      expect(await described()).toMatchObject({ state: 'stuck', attempts: 0, paused: false });
    });
    await mend();
    await handle().executeUpdate('retryNow');
    await settled();
  });
}, 60_000);

test('asking the workflow to cancel changes nothing', async () => {
  await world.withWorker(async () => {
    await retrying();
    await service().requestCancelWorkflowExecution({
      namespace: place().namespace,
      workflowExecution: { workflowId },
      reason: 'by a test',
    });
    expect(await read()).toBe('"precious"');
    await mend();
    await settled();
  });
}, 60_000);

test.each(['terminating', 'resetting'] as const)(
  '%s the workflow loses no write: the batch is read from history, and carried on under its own id',
  async (action) => {
    await world.withWorker(async () => {
      await retrying();
      const { runId } = await handle().describe();
      const { namespace } = place();
      const workflowExecution = { workflowId, runId };
      if (action === 'terminating') {
        await service().terminateWorkflowExecution({ namespace, workflowExecution, reason: 'by a test' });
      } else {
        await service().resetWorkflowExecution({
          namespace,
          workflowExecution,
          reason: 'by a test',
          requestId: 'reset-1',
          workflowTaskFinishEventId: 4 as never,
        });
      }
      await world.raw.del('hf:{p00}:e:carts/k');
      expect(await read()).toBe('"precious"');
      await mend();
      const stop = startSweeper(part.ctx, part.epochs);
      await until(async () => (await recorded()).length === 0, { what: 'the release', timeoutMs: 30_000 });
      stop();
    });
    expect(await rows()).toEqual(['k']);
    expect(await handle().describe()).toMatchObject({ status: { name: 'COMPLETED' } });
  },
  60_000,
);

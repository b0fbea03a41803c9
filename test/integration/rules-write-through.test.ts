import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RedisOutcomeUnknown } from '../../storage/redis/errors.ts';
import { holding } from './postgres-fixture.ts';
import { CARTS, createWorld, epochOf, gate, ORDERS, type Part, type World, within } from './rules-fixture.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.close());

const options = () => ({ deadlineAt: within(20_000) });
const copyOf = (key: string) => world.raw.get(`hf:{p00}:e:orders/${key}`);
const rowsOf = async (part: Part) =>
  (await sql<{ value: unknown; version: number }>`SELECT value, version FROM documents`.execute(part.ctx.db))
    .rows;

test('rule 2: a statement that changed no row is repeated under a version above the row', async () => {
  const part = await world.part();
  await epochOf(part);
  const ahead = (Date.now() + 60_000) * 1_000;
  await sql`INSERT INTO documents (collection, key, version, value, deleted)
    VALUES ('orders', 'k', ${ahead}, '"of another clock"', false)`.execute(part.ctx.db);
  const receipt = await part.through.write(ORDERS, 'k', '"mine"', options());
  expect(receipt.version).toBeGreaterThan(ahead);
  expect(await rowsOf(part)).toEqual([{ value: 'mine', version: receipt.version }]);
});

test('rule 2: the last step sets nothing once another write has taken the block', async () => {
  const [slow, fast] = [await world.part(), await world.part()];
  const [committed, goOn] = [gate(), gate()];
  slow.before('settle', async () => {
    committed.open();
    await goOn.opened;
  });
  const first = slow.through.write(ORDERS, 'k', '"first"', options());
  await committed.opened;
  await fast.through.write(ORDERS, 'k', '"second"', options());
  goOn.open();
  expect((await first).state).toBe('persisted');
  expect(await copyOf('k')).toContain('"second"');
  expect((await fast.reader.read(ORDERS, 'k', options())).state.value).toBe('"second"');
});

test.each([1, 2])(
  'rule 2: writes that fail do not end the block of one whose commit is still to come (%i of them)',
  async (failures) => {
    const [slow, fast] = [await world.part(), await world.part()];
    await slow.through.write(ORDERS, 'k', '"former"', options());
    // The epoch is new, and that alone would keep everybody from filling.
    await world.raw.hset('hf:{p00}:state', 'fills_from', '0');
    slow.after('void', async () => {
      for (let i = 0; i < failures; i++) {
        const failing = fast.through.write(ORDERS, 'k', '"never"', {
          ...options(),
          condition: { ifVersion: 2 },
        });
        await expect(failing).rejects.toMatchObject({ code: 'precondition-failed' });
      }
      expect(await fast.reader.read(ORDERS, 'k', options())).toMatchObject({
        state: { value: '"former"' },
        stored: false,
      });
    });
    slow.before('settle', () => {
      throw new RedisOutcomeUnknown('the process died');
    });
    expect((await slow.through.write(ORDERS, 'k', '"latter"', options())).state).toBe('persisted');
    expect((await fast.reader.read(ORDERS, 'k', options())).state.value).toBe('"latter"');
  },
);

test('rule 2: what came before a write that committed blocks nobody, and its last step sets the copy', async () => {
  const [slow, fast] = [await world.part(), await world.part()];
  // Of two that are under way at once the newer fails: the older one still has its block, and nothing is left of it after.
  slow.after('void', async () => {
    const failing = fast.through.write(ORDERS, 'k', '"never"', { ...options(), condition: { ifVersion: 2 } });
    await expect(failing).rejects.toMatchObject({ code: 'precondition-failed' });
  });
  await slow.through.write(ORDERS, 'k', '"one"', options());
  expect(await copyOf('k')).toContain('"one"');
  expect(await world.raw.hlen('hf:{p00}:blocks')).toBe(0);
  // Of one that died nothing is known, until a newer one has committed.
  slow.after('void', () => {
    throw new RedisOutcomeUnknown('the process died');
  });
  await slow.through.write(ORDERS, 'k', '"two"', options());
  expect(await copyOf('k')).toContain('"two"');
  expect(await world.raw.hlen('hf:{p00}:blocks')).toBe(0);
});

test('rule 2: the last step sets nothing in another epoch than the one that voided', async () => {
  const [part, other] = [await world.part(), await world.part()];
  part.before('settle', async () => {
    await world.raw.flushall();
    await epochOf(other);
  });
  expect((await part.through.write(ORDERS, 'k', '1', options())).state).toBe('persisted');
  expect(part.sent.filter((script) => script === 'settle').length).toBeGreaterThan(1);
  expect(await copyOf('k')).toBeNull();
});

test('rule 6: a statement that begins after its time does not commit, and says so', async () => {
  const part = await world.part({ POSTGRES_TIMEOUT_MS: '300' });
  await epochOf(part);
  part.after('void', async () => {
    // A process that was stopped for a while between the two steps.
    for (const end = performance.now() + 400; performance.now() < end; ) await new Promise(setImmediate);
  });
  await expect(part.through.write(ORDERS, 'k', '1', options())).rejects.toMatchObject({
    code: 'dependency-unavailable',
    message: expect.stringContaining('did not happen'),
  });
  expect(await rowsOf(part)).toEqual([]);
  expect(await world.raw.hlen('hf:{p00}:blocks')).toBe(0);
});

test('where PostgreSQL is lost before the commit is sent, all writes of the transaction say that they did not happen', async () => {
  const part = await world.part();
  const { db } = part.ctx;
  await epochOf(part);
  await sql`CREATE FUNCTION lost() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$`.execute(db);
  await sql`CREATE TRIGGER lost BEFORE INSERT ON documents FOR EACH ROW EXECUTE FUNCTION lost()`.execute(db);
  const answers = await Promise.allSettled(
    ['a', 'b', 'c'].map((key) => part.through.write(ORDERS, key, '1', options())),
  );
  const unavailable = { code: 'dependency-unavailable', details: { dependency: 'postgres' } };
  expect(answers).toMatchObject(Array(3).fill({ status: 'rejected', reason: unavailable }));
  expect(await rowsOf(part)).toEqual([]);
  expect(await world.raw.hlen('hf:{p00}:blocks')).toBe(0);
});

test('rule 18: without Redis a conditional write of write-behind is refused and goes nowhere', async () => {
  const part = await world.part();
  await epochOf(part);
  await world.redis.kill();
  for (const condition of [{ ifAbsent: true } as const, { ifVersion: 2 }]) {
    await expect(part.behind.write(CARTS, 'k', '1', { ...options(), condition })).rejects.toMatchObject({
      code: 'dependency-unavailable',
    });
  }
  expect(await rowsOf(part)).toEqual([]);
});

/** Holds up every commit of an update, as where a standby must confirm it and does not: PostgreSQL does not time a commit. */
async function holdUpCommits({ ctx: { db } }: Part): Promise<() => Promise<unknown>> {
  await sql`CREATE TABLE held_up ()`.execute(db);
  await sql`INSERT INTO held_up DEFAULT VALUES`.execute(db);
  await sql`CREATE FUNCTION wait_for_standby() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      WHILE EXISTS (SELECT FROM held_up) LOOP PERFORM pg_sleep(0.02); END LOOP;
      RETURN null;
    END $$`.execute(db);
  await sql`CREATE CONSTRAINT TRIGGER wait_for_standby AFTER UPDATE ON documents
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait_for_standby()`.execute(db);
  return () => sql`DELETE FROM held_up`.execute(db);
}

test('a commit that PostgreSQL holds up for longer than the block is seen moments after it', async () => {
  const part = await world.part({ POSTGRES_TIMEOUT_MS: '500' });
  await part.through.write(ORDERS, 'k', '"former"', options());
  const goOn = await holdUpCommits(part);
  const latter = part.through.write(ORDERS, 'k', '"latter"', options());
  await expect(latter).rejects.toMatchObject({ code: 'outcome-unknown' });
  // The block is over, and the former value is read and cached.
  const blocks = 'hf:{p00}:blocks';
  const block = await world.raw.hget(blocks, 'orders/k');
  await world.raw.hset(blocks, 'orders/k', `${block?.split(' ')[0]} ${(Date.now() - 1_000) * 1_000}`);
  await world.raw.hset('hf:{p00}:state', 'fills_from', '0');
  const currentValue = async () => (await part.reader.read(ORDERS, 'k', options())).state.value;
  expect(await part.reader.read(ORDERS, 'k', options())).toMatchObject({
    state: { value: '"former"' },
    stored: true,
  });
  await goOn();
  await vi.waitFor(async () => expect(await currentValue()).toBe('"latter"'), 15_000);
  // A write that is known to have ended leaves nothing in doubt.
  await part.through.write(ORDERS, 'k', '"last"', options());
  expect(await world.raw.exists(blocks)).toBe(0);
});

test('a commit that answers after its request was given up ends its block, and its value is cached', async () => {
  const part = await world.part();
  await part.through.write(ORDERS, 'k', '"former"', options());
  const goOn = await holdUpCommits(part);
  const latter = part.through.write(ORDERS, 'k', '"latter"', { deadlineAt: within(1_000) });
  await expect(latter).rejects.toMatchObject({ code: 'outcome-unknown' });
  expect(await world.raw.exists('hf:{p00}:blocks')).toBe(1);
  await goOn();
  await vi.waitFor(async () => expect(await copyOf('k')).toContain('"latter"'), 10_000);
  expect(await world.raw.exists('hf:{p00}:blocks')).toBe(0);
});

test('operations that commit together after their request was given up end their blocks, and their values are cached', async () => {
  const part = await world.part();
  await part.through.write(ORDERS, 'k', '"former"', options());
  const goOn = await holdUpCommits(part);
  const operations = ['k', 'l'].map(
    (key) => ({ op: 'put', collection: ORDERS, key, value: '"latter"' }) as const,
  );
  await expect(part.together(operations, { deadlineAt: within(1_000) })).rejects.toMatchObject({
    code: 'outcome-unknown',
  });
  expect(await world.raw.hlen('hf:{p00}:blocks')).toBe(2);
  await goOn();
  await vi.waitFor(async () => expect(await copyOf('l')).toContain('"latter"'), 10_000);
  await vi.waitFor(async () => expect(await world.raw.exists('hf:{p00}:blocks')).toBe(0), 10_000);
  expect(await copyOf('k')).toContain('"latter"');
});

test('writes that wait behind others for a PostgreSQL that hangs did not happen, and leave no blocks', async () => {
  const part = await world.part({ POSTGRES_TIMEOUT_MS: '300' });
  await epochOf(part);
  const { db } = (await world.part()).ctx;
  const release = await holding(db, sql`LOCK TABLE documents IN ACCESS EXCLUSIVE MODE`);
  const answers = await Promise.allSettled(
    Array.from({ length: 1_500 }, (_, i) =>
      part.through.write(ORDERS, `k${i}`, '1', { deadlineAt: within(2_000) }),
    ),
  );
  await release();
  const reasons = answers.map((one) => (one.status === 'rejected' ? one.reason : undefined));
  expect(reasons).toContainEqual(
    expect.objectContaining({
      code: 'dependency-unavailable',
      message: expect.stringContaining('this was not sent'),
    }),
  );
  await vi.waitFor(async () => expect(await world.raw.exists('hf:{p00}:blocks')).toBe(0), 10_000);
});

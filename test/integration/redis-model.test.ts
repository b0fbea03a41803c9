import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BatchId, mutationBytes } from '../../domain/batch.ts';
import type { WriteCondition } from '../../domain/condition.ts';
import { type EntryRef, parseEntryId } from '../../domain/entry.ts';
import { type Epoch, nextEpoch } from '../../domain/epoch.ts';
import { encodeMutation, type Mutation } from '../../domain/mutation.ts';
import { batchProgress, confirmBatch } from '../../storage/redis/confirm.ts';
import { EpochChanged } from '../../storage/redis/errors.ts';
import { type PartitionKeys, partitionKeys } from '../../storage/redis/keys.ts';
import { fill, inspect, lookup, type Pending } from '../../storage/redis/lookup.ts';
import { currentEpoch, installEpoch, lockForRecovery } from '../../storage/redis/recover.ts';
import { releaseBatch } from '../../storage/redis/release.ts';
import { adoptBatch, reslotBatch, type SealedBatch, sealBatch } from '../../storage/redis/seal.ts';
import { forgetEntries, sweepPage } from '../../storage/redis/sweep.ts';
import { stageWrite } from '../../storage/redis/write.ts';
import { settleEntry, voidEntry } from '../../storage/redis/write-through.ts';
import { PartitionModel, type Refused, versionOf } from '../support/redis-model.ts';
import { type RedisUnderTest, startRedisUnderTest, token } from '../support/redis-partition.ts';

const RUNS = 300;
const STEPS = 60;
const SLOTS = 3;
const IDS = ['docs/a', 'docs/b', 'docs/c', 'hits/x', 'hits/y', 'pay/w'] as const;
const VALUES = ['1', '"two words"', `"${'long '.repeat(20)}"`, '""'] as const;
const STEPS_OF = Number.MAX_SAFE_INTEGER;

let redis: RedisUnderTest;
let identity: RegExp;
beforeAll(async () => {
  redis = await startRedisUnderTest();
  const runId = /run_id:(\S+)/.exec(await redis.raw.info('server'))?.[1] ?? '';
  identity = new RegExp(`^${runId} [0-9a-f]{40}$`);
});
afterAll(() => redis.stop());

/** One step: what, by which of two callers, and numbers that pick among what there is at that moment. */
interface Step {
  readonly what: Kind;
  readonly who: number;
  readonly id: number;
  readonly pick: number;
  readonly flag: boolean;
  readonly other: boolean;
}
const WEIGHTS = {
  put: 6,
  delete: 1,
  increment: 3,
  counter: 2,
  lookup: 4,
  fill: 2,
  void: 1,
  settle: 1,
  seal: 4,
  adopt: 1,
  reslot: 2,
  confirm: 4,
  release: 2,
  progress: 1,
  sweep: 1,
  expire: 2,
  recover: 1,
  restart: 1,
  wipe: 1,
  hello: 1,
};
type Kind = keyof typeof WEIGHTS;
const stepOf: fc.Arbitrary<Step> = fc.record({
  what: fc.oneof(
    ...(Object.entries(WEIGHTS) as [Kind, number][]).map(([kind, weight]) => ({
      weight,
      arbitrary: fc.constant(kind),
    })),
  ),
  who: fc.nat(1),
  id: fc.nat(IDS.length - 1),
  pick: fc.nat(1_000_000),
  flag: fc.boolean(),
  other: fc.boolean(),
});

/** What one of the callers believes and holds; perhaps of an epoch that is gone. */
interface Caller {
  epoch: Epoch;
  readonly leases: { readonly id: string; readonly token: string }[];
  readonly tickets: { readonly id: string; readonly token: string; readonly version: number }[];
}

interface World {
  readonly model: PartitionModel;
  readonly keys: PartitionKeys;
  readonly callers: readonly [Caller, Caller];
  /** Batches that were ever sealed, in any epoch, as they were sealed. */
  readonly sealed: SealedBatch[];
  /** What each batch id stood for when it was first seen closed. */
  readonly contents: Map<BatchId, string>;
  /** What "Temporal" holds. */
  readonly queued: Map<BatchId, { slot: number; runId: string; batch: SealedBatch['batch'] }>;
  /** What "PostgreSQL" holds. */
  readonly rows: Map<string, number>;
  readonly released: Set<BatchId>;
}

const pickOf = <T>(list: readonly T[], pick: number): T | undefined => list[pick % list.length];
const contentOf = (mutations: readonly Mutation[]) =>
  new Map(mutations.map((one) => [`${one.collection}/${one.key}`, encodeMutation(one)]));
const sorted = (map: Iterable<readonly [string, unknown]>) =>
  Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)));

/** Runs a script; a refused epoch is an answer too. */
async function answer<T>(call: Promise<T>): Promise<T | Refused> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof EpochChanged) return { outcome: 'epoch', current: error.current };
    throw error;
  }
}

async function take(
  { model, callers, sealed, queued, rows, released, ...world }: World,
  step: Step,
): Promise<void> {
  const { store } = redis;
  const caller = callers[step.who] as Caller;
  const { epoch } = caller;
  const { partition } = model;
  const at = { partition, epoch };
  const counts = step.what === 'increment' || step.what === 'counter';
  const id = (counts ? IDS[3 + (step.id % 2)] : IDS[step.id]) as string;
  const ref: EntryRef = parseEntryId(id);
  const refusal = model.refusal(epoch);
  /** Compares, and learns of another epoch like a process would. */
  const agree = (actual: unknown, expected: () => unknown) => {
    expect(actual).toEqual(refusal ?? expected());
    if (refusal !== undefined && refusal.current !== '') caller.epoch = refusal.current;
  };

  switch (step.what) {
    case 'put':
    case 'delete':
    case 'counter':
    case 'increment': {
      const held = model.copy(id);
      const conditions: (WriteCondition | undefined)[] = [
        ...[undefined, undefined, undefined, undefined],
        { ifVersion: held === undefined ? 2 : versionOf(held) },
        { ifVersion: 4 },
        ...(step.what === 'increment' ? [] : [{ ifAbsent: true } as const]),
      ];
      const late = step.pick % 17 === 0;
      const options = {
        ...at,
        notAfter: () => (late ? 1 : STEPS_OF),
        ttlMs: 3_600_000,
        limits: pickOf(
          [
            { entries: 2, bytes: 100_000 },
            { entries: 9, bytes: 300 },
            { entries: 9, bytes: 9_000 },
          ],
          step.pick >> 3,
        )!,
        maxQueued: step.other ? 2 : 5,
        condition: pickOf(conditions, step.pick >> 6),
      };
      const changes = {
        put: { tag: 'd', value: pickOf(VALUES, step.pick >> 9)! },
        delete: { tag: 'D', value: '' },
        counter: { tag: 'c', value: String(Number.MAX_SAFE_INTEGER - (step.pick % 5)) },
        increment: { by: (step.pick % 7) - 3 },
      } as const;
      const change = changes[step.what];
      // An increment of a document never happens; the value of its cached copy is no number.
      const copy = model.copy(id);
      if ('by' in change && copy !== undefined && / d /.test(copy)) return;
      const actual = await answer(
        'by' in change
          ? stageWrite(store, { ...ref, ...change }, options)
          : stageWrite(
              store,
              {
                ...ref,
                kind: change.tag === 'c' ? 'counter' : 'document',
                value: change.tag === 'D' ? null : change.value,
              },
              options,
            ),
      );
      agree(actual, () =>
        model.stage(id, change, { ...options, late }, actual as Exclude<typeof actual, Refused>),
      );
      return;
    }
    case 'lookup': {
      const again = caller.leases.find((one) => one.id === id && step.flag);
      const mine = again?.token ?? token();
      const actual = await answer(
        lookup(store, ref, {
          ...at,
          token: mine,
          leaseMs: 3_600_000,
          writeThrough: step.other,
          durable: true,
        }),
      );
      const seen = await answer(inspect(store, ref, at));
      agree(actual, () => {
        const found = model.lookup(id, mine, step.other);
        if (found.hit !== undefined) {
          const staged = model.stagedIn(id);
          return { outcome: 'hit', state: stateOf(found.hit), ...(staged === undefined ? {} : { staged }) };
        }
        if (found.lease !== undefined) caller.leases.push({ id, token: mine });
        return {
          outcome: 'miss',
          lease: found.lease,
          held: found.held,
          pending: pendingOf(ref, found.pending),
        };
      });
      if ('outcome' in seen || 'outcome' in actual === false) expect(seen).toEqual(refusal);
      else if (actual.outcome === 'hit') expect(seen.cached).toEqual(actual.state);
      else if (actual.outcome === 'miss')
        expect(seen).toEqual({ cached: undefined, pending: withoutNewest(actual.pending) });
      return;
    }
    case 'fill': {
      const lease = pickOf(caller.leases, step.pick);
      if (lease === undefined) return;
      const state = {
        version: Math.max(0, model.clock - (step.pick % 3)),
        value: step.flag ? '"row"' : null,
      };
      const filled = { ...at, lease: lease.token, kind: 'document', ttlMs: 3_600_000 } as const;
      const actual = await answer(fill(store, parseEntryId(lease.id), state, filled));
      agree(actual, () =>
        model.fill(lease.id, lease.token, `${state.version} ${step.flag ? 'd' : 'D'} ${state.value ?? ''}`),
      );
      return;
    }
    case 'void': {
      const mine = token();
      const actual = await answer(
        voidEntry(store, ref, {
          ...at,
          notAfter: () => STEPS_OF,
          token: mine,
          blockMs: step.flag ? 3_600_000 : 0,
        }),
      );
      if (actual === undefined) throw new Error('late');
      agree('outcome' in actual ? actual : actual.token, () => {
        if ('outcome' in actual) throw new Error('refused');
        model.void(id, mine, step.flag, actual.version);
        caller.tickets.push({ id, token: mine, version: actual.version });
        return mine;
      });
      return;
    }
    case 'settle': {
      const ticket = pickOf(caller.tickets, step.flag ? caller.tickets.length - 1 : step.pick);
      if (ticket === undefined) return;
      const value = step.pick % 4 === 0 ? null : '"settled"';
      const committed = step.other || step.flag;
      const options = { ...at, kind: 'document', value, ttlMs: 3_600_000, committed } as const;
      const actual = await answer(settleEntry(store, parseEntryId(ticket.id), ticket, options));
      const mutation = `${ticket.version} ${value === null ? 'D' : 'd'} ${value ?? ''}`;
      agree(actual, () => model.settle(ticket.id, ticket.token, ticket.version, mutation, committed));
      return;
    }
    case 'seal': {
      const gather = step.pick % 5 === 0;
      const times = { gatherMinMs: gather ? 3_600_000 : 0, gatherMaxMs: 0 };
      const actual = await answer(sealBatch(store, { ...at, slots: SLOTS, ...times }));
      if (actual.outcome === 'sealed') sealed.push(actual.sealed);
      agree(
        actual.outcome === 'sealed'
          ? offerOf(actual.sealed)
          : actual.outcome === 'epoch'
            ? actual
            : actual.outcome,
        () => model.seal(gather),
      );
      return;
    }
    case 'adopt': {
      const actual = await answer(adoptBatch(store, { ...at, olderThanMs: step.flag ? 0 : 3_600_000 }));
      const found = actual === undefined || 'outcome' in actual ? actual : offerOf(actual);
      agree(found, () => (step.flag ? model.adopt() : undefined));
      return;
    }
    case 'reslot': {
      const one = pickOf(sealed.slice(-4), step.pick);
      if (one === undefined) return;
      const taken = step.flag ? (model.sent.get(one.batch.id)?.slot ?? one.slot) : one.slot;
      const actual = await answer(reslotBatch(store, { ...one.batch, epoch }, taken));
      agree(actual, () => model.reslot(one.batch.id, taken));
      return;
    }
    case 'confirm': {
      const one = pickOf(sealed.slice(-4), step.pick);
      if (one === undefined) return;
      const slot = step.flag ? (model.sent.get(one.batch.id)?.slot ?? one.slot) : (step.pick >> 4) % SLOTS;
      const run = token();
      const actual = await answer(confirmBatch(store, { ...one.batch, epoch }, slot, run));
      agree(actual, () => {
        if (model.confirm(one.batch.id, slot, run))
          queued.set(one.batch.id, { slot, runId: run, batch: one.batch });
      });
      return;
    }
    case 'release': {
      const one = pickOf(sealed.slice(-4), step.pick);
      if (one === undefined) return;
      const { batch } = one;
      const named = step.flag ? epoch : undefined;
      const setAside = batch.mutations.filter((_, i) => (step.pick >> i) % 3 === 0);
      const actual = await answer(
        releaseBatch(store, {
          partition,
          batchId: batch.id,
          entries: batch.mutations,
          setAside,
          outcome: step.pick % 5 === 0 ? 'refused' : 'persisted',
          epoch: named,
        }),
      );
      const refused = model.refusal(named ?? model.epoch ?? '');
      expect(actual).toEqual(refused);
      if (refused !== undefined) {
        if (refused.current !== '') caller.epoch = refused.current;
        return;
      }
      // Of a refused batch nothing reached its row.
      const aside = contentOf(step.pick % 5 === 0 ? batch.mutations : setAside);
      model.release(batch.id, contentOf(batch.mutations), new Set(aside.keys()));
      queued.delete(batch.id);
      released.add(batch.id);
      for (const each of batch.mutations) {
        const entry = `${each.collection}/${each.key}`;
        rows.set(entry, Math.max(rows.get(entry) ?? 0, each.version));
      }
      return;
    }
    case 'progress': {
      const ids = sealed.map((one) => one.batch.id);
      agree(await answer(batchProgress(store, partition, epoch, ids)), () =>
        ids.map((one) => model.progress(one)),
      );
      return;
    }
    case 'sweep': {
      const actual = await answer(sweepPage(store, { ...at, olderThanMs: 0, cursor: '0' }));
      const found =
        'outcome' in actual
          ? actual
          : {
              dangling: actual.dangling,
              confirmed: sorted(actual.confirmed.map((one) => [one.batchId, `${one.slot} ${one.runId}`])),
            };
      agree(found, () => ({
        dangling: [],
        confirmed: sorted(
          [...model.sent].flatMap(([batch, one]) =>
            one.runId === undefined ? [] : [[batch, `${one.slot} ${one.runId}`] as const],
          ),
        ),
      }));
      agree(await answer(forgetEntries(store, at, [{ id, batchId: 'none' }])), () => 0);
      return;
    }
    case 'expire':
      await redis.raw.del(world.keys.entryPrefix + id);
      model.entries.delete(id);
      return;
    case 'hello': {
      const actual = await currentEpoch(store, partition);
      expect(actual.epoch).toBe(model.valid ? model.epoch : undefined);
      if (actual.epoch !== undefined) caller.epoch = actual.epoch;
      return;
    }
    case 'restart':
      if (model.epoch === undefined || step.pick % 3 !== 0) return;
      await redis.raw.hset(world.keys.state, 'run_id', '0'.repeat(40));
      model.valid = false;
      return;
    case 'wipe': {
      if (step.pick % 6 !== 0) return;
      const { entryPrefix, name: _, ...others } = world.keys;
      await redis.raw.del(...Object.values(others).flat(), ...IDS.map((each) => entryPrefix + each));
      model.wipe();
      return;
    }
    case 'recover': {
      const mine = token();
      const forced = step.pick % 4 === 0;
      const lock = await lockForRecovery(store, partition, {
        token: mine,
        lockMs: 3_600_000,
        minEpochNumber: forced ? STEPS_OF : 0,
      });
      if (model.epoch !== undefined && model.valid && !forced) {
        expect(lock).toEqual({ outcome: 'valid', epoch: model.epoch });
        return;
      }
      if (lock.outcome !== 'locked') throw new Error(lock.outcome);
      expect(lock).toMatchObject({ identity: expect.stringMatching(identity), oldEpoch: model.epoch ?? '' });
      const counters = [...model.closed.values(), model.open].flatMap((content) =>
        [...content].flatMap(([entry, mutation]) => (/^\d+ c /.test(mutation) ? [entry] : [])),
      );
      expect(lock.counters.toSorted()).toEqual(counters.sort());
      const next = nextEpoch(`r${step.pick}`, callers[0].epoch, callers[1].epoch, model.epoch ?? '0-0');
      const adopted = [...queued].map(([batch, one]) => ({
        ...one,
        id: batch,
        content: contentOf(one.batch.mutations),
      }));
      const known = lock.counters.flatMap((entry) => {
        const version = rows.get(entry);
        return version === undefined ? [] : [{ id: entry, version }];
      });
      const clock = model.highest;
      const installed = await installEpoch(store, partition, {
        token: mine,
        identity: lock.identity,
        epoch: next,
        clock,
        slots: SLOTS,
        blockMs: step.flag ? 3_600_000 : 0,
        adopted: adopted.map((one) => ({ slot: one.slot, batchId: one.id, runId: one.runId })),
        pending: adopted.flatMap((one) =>
          [...one.content].map(([entry, mutation]) => ({
            id: entry,
            version: versionOf(mutation),
            batchId: one.id,
          })),
        ),
        setAside: [],
        rows: known,
        drain: { sequence: 0, draining: false },
      });
      expect(installed).toBe(true);
      model.install(next, clock, adopted, new Map(known.map((one) => [one.id, one.version])), step.flag);
      caller.epoch = next;
      return;
    }
  }
}

const offerOf = ({ batch, slot }: SealedBatch) => ({
  id: batch.id,
  slot,
  content: contentOf(batch.mutations),
});
function stateOf(mutation: string) {
  const [version, tag] = mutation.split(' ', 2);
  const value = mutation.slice(mutation.indexOf(' ') + 3);
  return { version: Number(version), value: tag === tag?.toUpperCase() ? null : value };
}
/** As `inspect` says it, which is for people. */
function withoutNewest(pending: Pending | undefined) {
  if (pending === undefined || pending.where === 'nowhere') return pending;
  const { newestFrom: _, ...rest } = pending;
  return rest;
}
function pendingOf(ref: EntryRef, pending: ReturnType<PartitionModel['lookup']>['pending']) {
  if (pending === undefined) return undefined;
  const { batch, mutation, newestFrom, ...rest } = { mutation: undefined, ...pending };
  if ('slot' in rest) return { where: 'temporal', batchId: batch, newestFrom, ...rest };
  if (mutation === undefined) return { where: 'nowhere', batchId: batch };
  const kind = / c /i.test(mutation.slice(0, 20)) ? 'counter' : 'document';
  return { where: 'redis', batchId: batch, newestFrom, mutation: { ...ref, kind, ...stateOf(mutation) } };
}

const LOOK = `
local base, closed, entries = ARGV[1], {}, {}
for _, id in ipairs(redis.call('HKEYS', base .. 'closed')) do
  closed[#closed + 1] = { id, cmsgpack.unpack(redis.call('HGET', base .. 'closed', id)) }
end
for i = 2, #ARGV do entries[#entries + 1] = redis.call('GET', base .. 'e:' .. ARGV[i]) or '' end
local all = function(key) return redis.call('HGETALL', base .. key) end
return { all('state'), all('open'), closed, redis.call('LRANGE', base .. 'queue', 0, -1), all('sent'),
  redis.call('LRANGE', base .. 'free', 0, -1), all('index'), all('blocks'), entries, redis.call('EXISTS', base .. 'lock') }
`;

const mapOf = (flat: readonly string[]) =>
  new Map(
    Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] as string, flat[2 * i + 1] as string]),
  );

/** Compares the whole of Redis with the model, and checks what must always hold. */
async function check({ model, keys, contents, released }: World): Promise<void> {
  type Raw = [
    string[],
    string[],
    [string, string[]][],
    string[],
    string[],
    string[],
    string[],
    string[],
    string[],
    number,
  ];
  const raw = (await redis.raw.eval(LOOK, 0, keys.state.slice(0, -'state'.length), ...IDS)) as Raw;
  const [state, open, sent, index, blocks] = [raw[0], raw[1], raw[4], raw[6], raw[7]].map(mapOf) as [
    Map<string, string>,
    Map<string, string>,
    Map<string, string>,
    Map<string, string>,
    Map<string, string>,
  ];
  const closed = new Map(raw[2].map(([id, flat]) => [id, mapOf(flat)]));
  const [queue, free] = [raw[3], raw[5].map(Number)];
  // The times of offers are Redis' own.
  for (const [id, text] of sent) {
    const one = model.sent.get(id);
    if (one !== undefined && one.runId === undefined) one.at = Number(text.split(' ').at(-1));
  }

  expect({
    epoch: state.get('epoch'),
    clock: Number(state.get('clock') ?? 0),
    number: Number(state.get('number') ?? 0),
    open: sorted(open),
    closed: sorted([...closed].map(([id, content]) => [id, sorted(content)])),
    queue,
    sent: sorted([...sent].map(([id, text]) => [id, text.replace(/ \d+$/, '')])),
    free,
    index: sorted(index),
    blocks: sorted([...blocks].map(([id, text]) => [id, text.replace(/ \d+$/, '').replaceAll(/:\d+/g, '')])),
    entries: raw[8],
    lock: raw[9],
  }).toEqual({
    epoch: model.epoch,
    clock: model.clock,
    number: model.number,
    open: sorted(model.open),
    closed: sorted([...model.closed].map(([id, content]) => [id, sorted(content)])),
    queue: model.queue,
    sent: sorted(
      [...model.sent].map(([id, one]) => [
        id,
        one.runId === undefined ? `${one.slot} sealed` : `${one.slot} confirmed ${one.runId}`,
      ]),
    ),
    free: model.free,
    index: sorted(model.index),
    blocks: sorted([...model.blocks].map(([id, some]) => [id, some.map(({ token }) => token).join()])),
    entries: IDS.map((id) => model.entries.get(id) ?? ''),
    lock: 0,
  });

  let bytes = 0;
  for (const [id, mutation] of open) bytes += mutationBytes(id, mutation.slice(mutation.indexOf(' ') + 3));
  expect([Number(state.get('bytes') ?? 0), Number(state.get('count') ?? 0)]).toEqual([bytes, open.size]);
  expect(Number(state.get('since') ?? 0) > 0).toBe(open.size > 0);
  // A batch's content never changes, and two contents never have one id.
  for (const [id, content] of closed) {
    const text = JSON.stringify(sorted(content));
    expect(contents.get(id) ?? text).toBe(text);
    contents.set(id, text);
  }
  if (model.epoch === undefined) return;
  // Each slot is free exactly when no batch on its way names it, and then once.
  const named = new Set([...sent.values()].map((text) => Number(text.split(' ', 1)[0])));
  expect(free.toSorted()).toEqual(
    Array.from({ length: SLOTS }, (_, slot) => slot).filter((slot) => !named.has(slot)),
  );
  // The index names batches that somebody has, and none that was released.
  const known = new Set([...closed.keys(), ...sent.keys(), model.openId()]);
  for (const batch of index.values()) {
    expect(known.has(batch)).toBe(true);
    expect(released.has(batch)).toBe(false);
  }
}

let partition = 1_000;

test('any sequence of scripts by two callers does what the protocol says', { timeout: 240_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(stepOf, { minLength: STEPS / 3, maxLength: STEPS, size: 'max' }),
      async (steps) => {
        partition += 1;
        const caller = (): Caller => ({ epoch: '0-0', leases: [], tickets: [] });
        const world: World = {
          model: new PartitionModel(partition, SLOTS),
          keys: partitionKeys(partition),
          callers: [caller(), caller()],
          sealed: [],
          contents: new Map(),
          queued: new Map(),
          rows: new Map(),
          released: new Set(),
        };
        const first = { what: 'recover', who: 0, id: 0, pick: 1, flag: false, other: false } as const;
        for (const step of [first, ...steps]) {
          // Most sequences would spend their life unrecovered otherwise.
          if (world.model.refusal(world.model.epoch ?? '') !== undefined && step.flag)
            await take(world, first);
          await take(world, step);
          await check(world);
        }
      },
    ),
    { numRuns: RUNS },
  );
});

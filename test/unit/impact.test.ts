import { expect, test } from 'vitest';
import { impactOf } from '../../service/impact.ts';

type Name = Parameters<typeof impactOf>[0];

/** What is said of each that is down; `PG` is short for PostgreSQL. */
const told = (
  down: readonly Name[],
  more: { redisRefuses?: boolean; notBegun?: boolean; redisIsForeign?: boolean } = {},
) =>
  down.map((name) =>
    impactOf(name, {
      down: new Set(down),
      ...{ redisRefuses: false, notBegun: false, redisIsForeign: false },
      ...more,
    }).replaceAll('PostgreSQL', 'PG'),
  );

test.each([
  ['redis', /Documents are written straight to PG/],
  ['postgres', /write-behind writes are queued/],
  ['temporal', /persisted directly/],
  ['workers', /reads are unaffected/],
] as const)('with %s alone down, the others stand in for it', (name, says) => {
  expect(told([name])).toEqual([expect.stringMatching(says)]);
});

// The table of docs/consistency.md.
test.each([
  [['redis', 'postgres'], /^Without Redis and PG, all reads and writes are refused/],
  [['redis', 'temporal'], /all writes are refused; collections that are written through are read from PG/],
  [['postgres', 'temporal'], /write-through writes are refused; write-behind writes stay in Redis/],
  [['redis', 'postgres', 'temporal'], /all reads and writes are refused/],
] as const)('with %j down, each says what that comes to together', (down, says) => {
  for (const redisRefuses of [false, true]) {
    for (const impact of told(down, { redisRefuses })) {
      expect(impact).toMatch(says);
      expect(impact).not.toMatch(/queued|directly|straight/);
    }
  }
});

test.each([
  [
    ['postgres'],
    /with a new Idempotency-Key.* not cached, increments, PATCH and conditional ones: they are refused/,
  ],
  [['temporal'], /refused, and so may increments, PATCH and conditional writes/],
  [
    ['postgres', 'temporal'],
    /with a new Idempotency-Key.* not cached, increments, PATCH and conditional ones/,
  ],
] as const)('with %j down, the writes that would have to look there are named', (down, says) => {
  expect(told(down)).toEqual(down.map(() => expect.stringMatching(says)));
});

test('of workers nothing is claimed that something else prevents', () => {
  expect(told(['workers', 'temporal'])[0]).toMatch(/^Whether workers run is not known/);
  for (const other of ['redis', 'postgres'] as const) {
    const [workers, its] = told(['workers', other]);
    expect(workers).toBe('What is queued is not persisted before one runs.');
    expect(its).toBe(told([other])[0]);
  }
});

test('a Redis that refuses writes has them refused, and search attributes change nothing', () => {
  expect(told(['redis', 'search-attributes'], { redisRefuses: true })).toEqual([
    expect.stringMatching(/^Redis refuses writes, so they are refused here/),
    expect.stringMatching(/^No request needs them/),
  ]);
});

test('before PostgreSQL was reached once nothing is served, whatever else is down', () => {
  const down: Name[] = ['postgres', 'temporal', 'redis'];
  for (const impact of told(down, { notBegun: true })) expect(impact).toMatch(/^Nothing is served/);
});

test('with another database’s data in Redis nothing stands in for it, whatever else is down', () => {
  for (const down of [['redis'], ['redis', 'postgres'], ['redis', 'temporal']] as const) {
    for (const impact of told(down, { redisIsForeign: true })) {
      expect(impact).toMatch(/^All reads and writes are refused/);
    }
  }
});

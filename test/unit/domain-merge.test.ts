import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mutationBytes, splitMutations } from '../../domain/batch.ts';
import { entryId } from '../../domain/entry.ts';
import { mergeMutations, newest } from '../../domain/merge.ts';
import { type Mutation, NEVER_WRITTEN } from '../../domain/mutation.ts';
import { history, mutation } from '../support/mutation-arbitrary.ts';

/** In the order of entries, so that two results can be compared. */
function sorted(mutations: Iterable<Mutation>): Mutation[] {
  return [...mutations].sort((a, b) => (entryId(a) < entryId(b) ? -1 : 1));
}

/** What must be in the database at the end, found in another way: by sorting. */
function rows(mutations: readonly Mutation[]): Mutation[] {
  const byVersion = [...mutations].sort((a, b) => a.version - b.version);
  return sorted(new Map(byVersion.map((m) => [entryId(m), m])).values());
}

const limits = fc.record({
  entries: fc.integer({ min: 1, max: 7 }),
  bytes: fc.integer({ min: 1, max: 1_000 }),
});

/** The same mutations in another order, some of them several times. */
const shuffledAndRepeated = history.chain((mutations) =>
  fc
    .tuple(
      fc.shuffledSubarray(mutations, { minLength: mutations.length }),
      fc.array(fc.constantFrom(...mutations), { maxLength: 20 }),
      fc.infiniteStream(fc.nat()),
    )
    .map(([shuffled, repeated, places]) => {
      const received = [...shuffled];
      for (const again of repeated) received.splice(places.next().value % (received.length + 1), 0, again);
      return { mutations, received };
    }),
);

test('the newest mutation of every entry wins, in whatever order and however often mutations come', () => {
  fc.assert(
    fc.property(shuffledAndRepeated, ({ mutations, received }) => {
      expect(sorted(mergeMutations(received))).toEqual(rows(mutations));
    }),
    { numRuns: 500 },
  );
});

test('batches of any size, merged one after the other or apart, give the same rows', () => {
  fc.assert(
    fc.property(shuffledAndRepeated, limits, ({ mutations, received }, size) => {
      const batches = splitMutations(received, size).map((batch) => mergeMutations(batch));
      const inTurn = batches.reduce((held, batch) => mergeMutations(held.concat(batch)), []);
      const backwards = batches.reduceRight((held, batch) => mergeMutations(held.concat(batch)), []);
      const inHalves = mergeMutations([
        ...mergeMutations(batches.slice(0, batches.length / 2).flat()),
        ...mergeMutations(batches.slice(batches.length / 2).flat()),
      ]);
      for (const result of [inTurn, backwards, inHalves]) expect(sorted(result)).toEqual(rows(mutations));
    }),
    { numRuns: 500 },
  );
});

test('a merge of nothing is nothing', () => {
  expect(mergeMutations([])).toEqual([]);
});

test('newest does not depend on the order of its arguments, and anything is newer than never written', () => {
  fc.assert(
    fc.property(mutation, mutation, (a, b) => {
      fc.pre(a.version !== b.version);
      expect(newest(a, b)).toBe(newest(b, a));
      expect(newest(a, undefined)).toBe(a);
      expect(newest<{ version: number; value: string | null }>(NEVER_WRITTEN, a)).toBe(a);
    }),
  );
});

test('an older put cannot bring a deleted entry back', () => {
  const put: Mutation = { collection: 'carts', key: 'a', kind: 'document', version: 10, value: '1' };
  const deleted = { ...put, version: 12, value: null };
  expect(mergeMutations([deleted, put])).toEqual([deleted]);
});

test('a list of a split keeps to the limits, unless one mutation alone is above them', () => {
  const size = (m: Mutation) => mutationBytes(entryId(m), m.value);
  fc.assert(
    fc.property(fc.array(mutation, { maxLength: 60 }), limits, (mutations, { entries, bytes }) => {
      const lists = splitMutations(mutations, { entries, bytes });
      expect(lists.flat()).toEqual(mutations);
      for (const [i, list] of lists.entries()) {
        const total = list.reduce((sum, m) => sum + size(m), 0);
        expect(list.length).toBeGreaterThan(0);
        expect(list.length).toBeLessThanOrEqual(entries);
        if (list.length > 1) expect(total).toBeLessThanOrEqual(bytes);
        // No list is cut short: the next mutation did not fit.
        const next = lists[i + 1]?.[0];
        if (next !== undefined) expect(list.length === entries || total + size(next) > bytes).toBe(true);
      }
    }),
    { numRuns: 500 },
  );
});

test('bytes are counted as UTF-8, and a deletion has no value to count', () => {
  const empty = mutationBytes('c/k', null);
  expect(mutationBytes('c/k', '')).toBe(empty);
  expect(mutationBytes('c/é', '"😀"')).toBe(empty + 1 + 6);
});

import fc from 'fast-check';
import type { EntryRef } from '../../domain/entry.ts';
import { keyProblem } from '../../domain/entry.ts';
import type { IdempotencyRecord } from '../../domain/idempotency.ts';
import type { Mutation } from '../../domain/mutation.ts';
import { MAX_VERSION } from '../../domain/version.ts';

export const collectionName: fc.Arbitrary<string> = fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,10}$/);

/** Keys of all kinds of characters, slashes and spaces among them. */
export const key: fc.Arbitrary<string> = fc
  .oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }),
    fc.constantFrom('a', '/', 'a/b', ' ', 'a b', '…'),
  )
  .filter((text) => keyProblem(text) === undefined);

const version: fc.Arbitrary<number> = fc.integer({ min: 1, max: MAX_VERSION });

const entry: fc.Arbitrary<EntryRef> = fc.record({ collection: collectionName, key });

export const mutation: fc.Arbitrary<Mutation> = fc
  .record({
    entry,
    version,
    content: fc.oneof(
      fc.record({ kind: fc.constant('document' as const), value: fc.option(fc.json()) }),
      fc.record({ kind: fc.constant('counter' as const), value: fc.option(fc.maxSafeInteger().map(String)) }),
    ),
  })
  .map(({ entry: ref, version: at, content }) => ({ ...ref, version: at, ...content }));

const digest = fc.stringMatching(/^[\w-]{22}$/);

/** Idempotency records of a mutation, at least one. */
export const records: fc.Arbitrary<IdempotencyRecord[]> = fc.array(
  fc.record({
    key: digest,
    fingerprint: digest,
    version,
    value: fc.oneof(fc.constant(''), fc.maxSafeInteger().map(String)),
  }),
  { minLength: 1, maxLength: 5 },
);

/** Mutations of a few entries, many of each; a version of an entry has one content, as it does in the real system. */
export const history: fc.Arbitrary<Mutation[]> = fc
  .tuple(fc.array(mutation, { minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 5 }))
  .map(([mutations, entries]) => {
    const refs = mutations
      .slice(0, entries)
      .map(({ collection, key: k, kind }) => ({ collection, key: k, kind }));
    const moved = mutations.map((m, i) => ({
      ...m,
      ...refs[i % refs.length]!,
      version: (m.version % 20) + 1,
    }));
    const byVersion = new Map(moved.map((m) => [`${m.collection}/${m.key} ${m.version}`, m]));
    return [...byVersion.values()];
  });

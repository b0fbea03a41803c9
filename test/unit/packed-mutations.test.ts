import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mutationBytes, oldestVersion } from '../../domain/batch.ts';
import { entryId } from '../../domain/entry.ts';
import {
  oldestPacked,
  packedBatch,
  packedBytes,
  packedCollections,
  packMutations,
  unpackMutations,
} from '../../domain/packed-mutations.ts';
import { mutation } from '../support/mutation-arbitrary.ts';

test('packed mutations are taken apart as they were put together, and tell the same of themselves', () => {
  fc.assert(
    fc.property(fc.array(mutation, { maxLength: 10 }), (mutations) => {
      const packed = packMutations(mutations);
      expect(packed).toHaveLength(mutations.length * 2);
      expect(unpackMutations(packed)).toEqual(mutations);
      expect(oldestPacked(packed)).toBe(oldestVersion(mutations));
      expect(packedCollections(packed)).toEqual(
        [...new Set(mutations.map(({ collection }) => collection))].sort(),
      );
    }),
  );
});

test('their bytes are those that count towards the limit of a batch', () => {
  // As Redis gives versions: 16 digits.
  const recent = fc.tuple(mutation, fc.integer({ min: 1e15, max: 9e15 }));
  fc.assert(
    fc.property(fc.array(recent, { maxLength: 10 }), (some) => {
      const mutations = some.map(([m, version]) => ({ ...m, version }));
      const counted = mutations.reduce((sum, m) => sum + mutationBytes(entryId(m), m.value), 0);
      expect(packedBytes(packMutations(mutations))).toBe(counted);
    }),
  );
});

test('what is no mutation is refused when it is taken apart, and not before', () => {
  const batch = packedBatch({ id: '1-abc.p00.7', partition: 0, epoch: '1-abc' }, [
    'carts/a',
    'of a newer format',
  ]);
  expect(batch.packed).toHaveLength(2);
  expect(() => batch.mutations).toThrow('not a mutation');
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { batchId, parseBatchId } from '../../domain/batch.ts';
import { COLLECTION_NAME, entryId, keyProblem, MAX_KEY_BYTES, parseEntryId } from '../../domain/entry.ts';
import { epochNumber, FIRST_EPOCH, nextEpoch } from '../../domain/epoch.ts';
import { partitionName, partitionOf, slotName } from '../../domain/partition.ts';
import { collectionName, key } from '../support/mutation-arbitrary.ts';

describe('entry ids', () => {
  test('an entry id has one reading', () => {
    fc.assert(
      fc.property(collectionName, key, (collection, k) => {
        expect(COLLECTION_NAME.test(collection)).toBe(true);
        expect(parseEntryId(entryId({ collection, key: k }))).toEqual({ collection, key: k });
      }),
    );
  });

  test('different entries have different ids', () => {
    const ref = fc.record({ collection: collectionName, key });
    fc.assert(
      fc.property(ref, ref, (a, b) => {
        expect(entryId(a) === entryId(b)).toBe(a.collection === b.collection && a.key === b.key);
      }),
    );
  });

  test.each(['', 'carts', '/key'])('%j is no entry id', (text) => {
    expect(() => parseEntryId(text)).toThrow(TypeError);
  });

  test.each(['', 'A', '_a', '-a', 'a/b', 'a b', 'é', 'a\n', 'a'.repeat(65)])(
    '%j names no collection',
    (name) => {
      expect(COLLECTION_NAME.test(name)).toBe(false);
    },
  );
});

describe('keys', () => {
  /** The rule in other words: what arrives after a trip through UTF-8 is the same key, and not too long. */
  function isKey(text: string): boolean {
    const bytes = new TextEncoder().encode(text);
    const arrives = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes) === text;
    return (
      arrives && bytes.length >= 1 && bytes.length <= 512 && !/\p{Cc}/u.test(text) && !/^\.{1,2}$/.test(text)
    );
  }

  test('a key is any text of 1 to 512 bytes without control characters', () => {
    const texts = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.string({ unit: 'binary', minLength: 120, maxLength: 300 }),
      fc
        .array(
          fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
          { maxLength: 5 },
        )
        .map((a) => a.join('')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        expect(keyProblem(text) === undefined).toBe(isKey(text));
      }),
      { numRuns: 2_000 },
    );
  });

  test('every character alone is a key or not as the rule says', () => {
    const wrong: number[] = [];
    for (let unit = 0; unit <= 0xffff; unit += 1) {
      const text = String.fromCharCode(unit);
      if ((keyProblem(text) === undefined) !== isKey(text)) wrong.push(unit);
    }
    expect(wrong).toEqual([]);
  });

  test('the length counts bytes, not characters', () => {
    expect(keyProblem('a'.repeat(MAX_KEY_BYTES))).toBeUndefined();
    expect(keyProblem('a'.repeat(MAX_KEY_BYTES + 1))).toContain('512 bytes');
    expect(keyProblem('é'.repeat(256))).toBeUndefined();
    expect(keyProblem('é'.repeat(257))).toContain('512 bytes');
    expect(keyProblem('😀'.repeat(128))).toBeUndefined();
    expect(keyProblem('😀'.repeat(129))).toContain('512 bytes');
  });

  test('dots that URL parsers drop are refused, other dots are not', () => {
    expect(keyProblem('.')).toBeDefined();
    expect(keyProblem('..')).toBeDefined();
    expect(keyProblem('...')).toBeUndefined();
    expect(keyProblem('.a')).toBeUndefined();
  });
});

describe('batch ids', () => {
  const epoch = fc
    .tuple(fc.nat(), fc.stringMatching(/^[0-9a-z]{1,12}$/))
    .map(([number, random]) => `${number}-${random}`);

  test('a batch id gives back its parts', () => {
    fc.assert(
      fc.property(epoch, fc.nat(999), fc.maxSafeNat(), (e, partition, number) => {
        expect(parseBatchId(batchId(e, partition, number))).toEqual({ epoch: e, partition, number });
      }),
    );
  });

  test('different batches have different ids', () => {
    const parts = fc.tuple(epoch, fc.nat(120), fc.nat(120));
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        expect(batchId(...a) === batchId(...b)).toBe(a.every((part, i) => part === b[i]));
      }),
    );
  });

  test.each([
    '',
    '3-k9f2m1',
    '3-k9f2m1.p00',
    '3-k9f2m1.p00.',
    '3.p00.1',
    '3-K.p00.1',
    'x3-k.p00.1',
    '3-k.p00.1\n',
  ])('%j is no batch id', (text) => {
    expect(parseBatchId(text)).toBeUndefined();
  });
});

describe('epochs', () => {
  test('the next epoch is above every one known, in whatever order they are named', () => {
    const numbers = fc.array(fc.nat(1_000_000), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(numbers, (known) => {
        const next = nextEpoch('abc', ...known.map((number) => `${number}-x`));
        expect(epochNumber(next)).toBe(Math.max(...known) + 1);
        expect(next.endsWith('-abc')).toBe(true);
      }),
    );
  });

  test('the first epoch is below every other', () => {
    expect(epochNumber(FIRST_EPOCH)).toBe(0);
    expect(nextEpoch('k9f2m1', FIRST_EPOCH)).toBe('1-k9f2m1');
  });

  test.each(['', '3', '3-', '-k', 'k-3', '3-K', '3-k.p00', '-3-k', '9'.repeat(16).concat('-k')])(
    '%j is no epoch, so it is older than any',
    (text) => {
      expect(epochNumber(text)).toBe(0);
      expect(nextEpoch('r', text, '7-a')).toBe('8-r');
    },
  );
});

describe('partitions', () => {
  test('the hash is FNV-1a of 32 bits: entries are found where earlier versions put them', () => {
    const all = 2 ** 32;
    expect(partitionOf('', all)).toBe(0x811c9dc5);
    expect(partitionOf('a', all)).toBe(0xe40c292c);
    expect(partitionOf('foobar', all)).toBe(0xbf9cf968);
  });

  test.each([
    ['carts/a', 7, 1],
    ['carts/42', 7, 4],
    ['page-views/home', 16, 9],
    ['orders/Ünïcödé 😀', 100, 63],
  ])('%s of %i partitions is in partition %i', (id, partitions, partition) => {
    expect(partitionOf(id, partitions)).toBe(partition);
  });

  test('an entry is in one partition, within range', () => {
    fc.assert(
      fc.property(collectionName, key, fc.integer({ min: 1, max: 100 }), (collection, k, partitions) => {
        const partition = partitionOf(entryId({ collection, key: k }), partitions);
        expect(Number.isInteger(partition)).toBe(true);
        expect(partition).toBeGreaterThanOrEqual(0);
        expect(partition).toBeLessThan(partitions);
        expect(partitionOf(entryId({ collection, key: k }), partitions)).toBe(partition);
      }),
    );
  });

  test('entries spread evenly', () => {
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i += 1) counts[partitionOf(`carts/user-${i}`, 10)]! += 1;
    expect(Math.min(...counts)).toBeGreaterThan(800);
    expect(Math.max(...counts)).toBeLessThan(1_200);
  });

  test('names sort by number', () => {
    const numbers = Array.from({ length: 100 }, (_, i) => i);
    expect(numbers.map(partitionName).sort()).toEqual(numbers.map(partitionName));
    expect(numbers.map(slotName).sort()).toEqual(numbers.map(slotName));
    expect([partitionName(0), slotName(31)]).toEqual(['p00', 's31']);
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ACKNOWLEDGEMENTS, satisfies } from '../../domain/acknowledgement.ts';
import { entryId } from '../../domain/entry.ts';
import { decodeRecords, encodeRecords } from '../../domain/idempotency.ts';
import { decodeMutation, encodeMutation } from '../../domain/mutation.ts';
import { MAX_VERSION, parseVersion } from '../../domain/version.ts';
import { mutation, records } from '../support/mutation-arbitrary.ts';

describe('mutations in Redis', () => {
  test('a mutation is read back as it was written', () => {
    const anyText = fc.option(fc.string({ unit: 'binary' }));
    fc.assert(
      fc.property(mutation, anyText, (m, value) => {
        for (const written of [m, { ...m, value }]) {
          expect(decodeMutation(entryId(written), encodeMutation(written))).toEqual(written);
        }
      }),
    );
  });

  test('idempotency records travel with a mutation and are read back as they were', () => {
    fc.assert(
      fc.property(mutation, records, (m, written) => {
        const encoded = encodeMutation({ ...m, records: encodeRecords(written) });
        const read = decodeMutation(entryId(m), encoded);
        expect(read).toEqual({ ...m, records: encodeRecords(written) });
        expect(decodeRecords(read.records)).toEqual(written);
      }),
    );
    expect(decodeRecords(undefined)).toEqual([]);
  });

  test.each(['k', 'k,f', 'k,f,1', 'k,f,x,', 'k,f,1,x', ',f,1,', 'k,f,1,;', 'k f,f,1,'])(
    '%j is no idempotency record',
    (text) => {
      expect(() => decodeRecords(text)).toThrow(TypeError);
    },
  );

  test('the form is the one that the scripts write', () => {
    const m = { collection: 'carts', key: 'a/b', kind: 'document', version: 1_700_000_000_000_002 } as const;
    expect(encodeMutation({ ...m, value: '{"a": 1}' })).toBe('1700000000000002 d {"a": 1}');
    expect(encodeMutation({ ...m, value: null })).toBe('1700000000000002 D ');
    expect(encodeMutation({ ...m, kind: 'counter', value: '-7' })).toBe('1700000000000002 c -7');
    expect(encodeMutation({ ...m, kind: 'counter', value: null })).toBe('1700000000000002 C ');
  });

  test('a deletion and an empty value are different', () => {
    expect(decodeMutation('carts/a', '2 d ').value).toBe('');
    expect(decodeMutation('carts/a', '2 D ').value).toBeNull();
  });

  test.each([
    '',
    '2',
    '2 ',
    '2 d',
    '2d x',
    'x d 1',
    '2 x 1',
    '2  d 1',
    '-2 d 1',
    '1.79e+15 d 1',
    '02 d 1',
    ' d 1',
    '2 dd 1',
  ])('%j is no mutation', (text) => {
    expect(() => decodeMutation('carts/a', text)).toThrow(TypeError);
  });

  test('the error does not hold the value', () => {
    expect(() => decodeMutation('carts/a', `2 x ${'s'.repeat(20)}ecret`)).toThrow(/^(?!.*ecret)/);
  });
});

describe('versions', () => {
  test('every version is read back from its text', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: MAX_VERSION }), (version) => {
        expect(parseVersion(String(version))).toBe(version);
      }),
    );
    expect(parseVersion(String(MAX_VERSION))).toBe(MAX_VERSION);
  });

  test.each([
    '',
    '-1',
    '01',
    '1.5',
    '1e3',
    ' 1',
    '1 ',
    '1\n',
    '0x1',
    '+1',
    '"1"',
    '9007199254740992',
    '1'.repeat(17),
  ])('%j is no version', (text) => {
    expect(parseVersion(text)).toBeUndefined();
  });
});

test('acknowledgement levels are ordered: each satisfies itself and every weaker one', () => {
  for (const [i, reached] of ACKNOWLEDGEMENTS.entries()) {
    for (const [j, wanted] of ACKNOWLEDGEMENTS.entries()) expect(satisfies(reached, wanted)).toBe(i >= j);
  }
});

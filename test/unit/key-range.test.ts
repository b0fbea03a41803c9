import fc from 'fast-check';
import { expect, test } from 'vitest';
import { afterPrefix } from '../../domain/key-range.ts';

const bytewise = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
const text = fc.string({
  maxLength: 4,
  unit: fc.oneof(
    fc.constantFrom(
      'a',
      'b',
      '\u007f',
      '\u0080',
      '\u07ff',
      '\u0800',
      '\ud7ff',
      '\ue000',
      '\uffff',
      '\u{10000}',
      '\u{10ffff}',
    ),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  ),
});

test('what begins with a prefix lies between the prefix and the text after it, and nothing else does', () => {
  fc.assert(
    fc.property(text, text, fc.boolean(), (prefix, other, extend) => {
      const key = extend ? prefix + other : other;
      const end = afterPrefix(prefix);
      const inside = bytewise(key, prefix) >= 0 && (end === undefined || bytewise(key, end) < 0);
      expect(inside).toBe(key.startsWith(prefix));
    }),
    { numRuns: 20_000 },
  );
});

test.each([
  ['', undefined],
  ['a', 'b'],
  ['a\u{10ffff}', 'b'],
  ['\u{10ffff}\u{10ffff}', undefined],
  ['\ud7ff', '\ue000'],
  ['x\uffff', 'x\u{10000}'],
  ['😀', '😁'],
])('after %j comes %j', (prefix, end) => {
  expect(afterPrefix(prefix)).toBe(end);
});

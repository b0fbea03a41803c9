import fc from 'fast-check';
import { expect, test } from 'vitest';
import { incrementBy, requireJsonText } from '../../api/json-value.ts';
import { incrementRequest } from '../../api/schemas/increment.ts';
import { jsonValue } from '../../api/schemas/json-value.ts';
import { keyProblem } from '../../domain/entry.ts';
import { checkJson } from '../../domain/json-text.ts';
import { mutatedJson } from '../support/json-arbitrary.ts';
import { schemaProblems } from '../support/openapi.ts';

// The document describes with schemas what is checked by hand, for speed. Here both are asked.

function passes(check: () => unknown): boolean {
  try {
    check();
    return true;
  } catch {
    return false;
  }
}

const inDocument = (name: string, value: unknown) =>
  schemaProblems(['components', 'schemas', name], value) === '';

const values = fc.oneof(
  fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' }),
  fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 2, stringUnit: 'binary' })),
  fc.string({ unit: fc.constantFrom('\0', '\ud83d', '\ude00', 'a', '😀') }),
);

test('a value is taken exactly where the schema of values allows it', () => {
  fc.assert(
    fc.property(values, (value) => {
      const text = JSON.stringify(value);
      // A number so close to 0 is refused for its exponent, which a parsed value does not show.
      if (/e-3(09|[12]\d)/.test(text)) return;
      const taken = passes(() => requireJsonText(text));
      expect(jsonValue.safeParse(value).success).toBe(taken);
      // The document leaves half a surrogate pair, which is no text at all, to the check.
      if (text.isWellFormed() && !/\\ud[89a-f]/.test(text))
        expect(inDocument('JsonValue', value)).toBe(taken);
    }),
    { numRuns: 2_000 },
  );
});

test('what is taken as text is allowed by the schema, whatever its spelling', () => {
  fc.assert(
    fc.property(mutatedJson, (text) => {
      if (checkJson(text) !== undefined) return;
      const value: unknown = JSON.parse(text);
      // Past what JSON.parse can hold; the text is kept, and fine.
      if (JSON.stringify(value, (_, part) => (Number.isFinite(part) ? 1 : part)).includes('null')) return;
      expect(inDocument('JsonValue', value)).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

const by = fc.oneof(
  fc.maxSafeInteger(),
  fc.constantFrom(2 ** 53 - 1, 2 ** 53, -(2 ** 53), -(2 ** 53) + 1, 0.5, -0, 1e21, Number.MAX_VALUE),
  fc.jsonValue({ maxDepth: 1 }),
);
const increments = fc.oneof(
  by.map((value) => ({ by: value })),
  fc.constant({}),
  fc.record({ by: fc.maxSafeInteger(), other: fc.jsonValue({ maxDepth: 1 }) }, { requiredKeys: ['other'] }),
  fc.jsonValue({ maxDepth: 2 }),
);

test('an increment is taken exactly where its schema allows it, and both read the same number', () => {
  fc.assert(
    fc.property(increments, (value) => {
      const text = JSON.stringify(value);
      const parsed = incrementRequest.safeParse(JSON.parse(text));
      expect(passes(() => incrementBy(text))).toBe(parsed.success);
      expect(inDocument('IncrementRequest', JSON.parse(text))).toBe(parsed.success);
      if (parsed.success) expect(incrementBy(text)).toBe(parsed.data.by + 0);
    }),
    { numRuns: 2_000 },
  );
});

test('a key is one exactly where its schema allows it, up to 512 bytes', () => {
  const unit = fc.oneof(
    fc.constantFrom('.', '/', '\x7f', '\x85', '\n', 'é', '😀'),
    fc.string({ maxLength: 1 }),
  );
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 300 }), (key) => {
      if (Buffer.byteLength(key) > 512) return;
      expect(inDocument('EntryKey', key)).toBe(keyProblem(key) === undefined);
    }),
    { numRuns: 2_000 },
  );
});

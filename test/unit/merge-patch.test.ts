import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkJson } from '../../domain/json-text.ts';
import { mergePatch } from '../../domain/merge-patch.ts';

type Json = null | boolean | number | string | Json[] | Map<string, Json>;

/** Objects as maps: `__proto__` is a name like any other, and the order of numeric names is kept. */
function parsed(text: string): Json {
  return toMap(JSON.parse(text, protoSafe));
}

/** `JSON.parse` makes `__proto__` an own member already. */
const protoSafe = (_: string, value: unknown) => value;

function toMap(value: unknown): Json {
  if (Array.isArray(value)) return value.map(toMap);
  if (typeof value !== 'object' || value === null) return value as Json;
  return new Map(Object.entries(value).map(([name, member]) => [name, toMap(member)]));
}

/** The pseudocode of RFC 7396, word for word. */
function reference(target: Json | undefined, patch: Json): Json {
  if (!(patch instanceof Map)) return patch;
  const result = target instanceof Map ? new Map(target) : new Map<string, Json>();
  for (const [name, value] of patch) {
    if (value === null) result.delete(name);
    else result.set(name, reference(result.get(name), value));
  }
  return result;
}

const name = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'b', 'c', 'é', '__proto__', '1', '') },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 3 }) },
);
const { value: jsonValue } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(
      'null',
      'true',
      '0',
      '-1.50',
      '9007199254740993',
      '1e10',
      '"x"',
      '"{\\"a\\":[,]}"',
      '"\\\\"',
    ),
    fc
      .array(tie('value') as fc.Arbitrary<string>, { maxLength: 3 })
      .chain((items) => listText('[', items, ']')),
    fc
      .uniqueArray(fc.tuple(name, tie('value') as fc.Arbitrary<string>), {
        maxLength: 4,
        selector: ([n]) => n,
      })
      .chain((members) =>
        fc.tuple(...members.map(([n, v]) => memberText(n, v))).chain((texts) => listText('{', texts, '}')),
      ),
  ),
})) as { value: fc.Arbitrary<string> };

const space = fc.constantFrom('', '', '', ' ', '\n  ', '\t\r\n');

function listText(open: string, items: readonly string[], close: string): fc.Arbitrary<string> {
  return fc.array(space, { minLength: 2 * items.length + 1, maxLength: 2 * items.length + 1 }).map((gaps) => {
    const body = items.map((item, i) => `${gaps[2 * i]}${item}${gaps[2 * i + 1]}`).join(',');
    return `${open}${items.length === 0 ? gaps[0] : body}${close}`;
  });
}

/** A name can be written in more than one way. */
function memberText(n: string, value: string): fc.Arbitrary<string> {
  return fc.tuple(space, space, fc.boolean()).map(([before, after, escaped]) => {
    const text = escaped
      ? `"${[...n]
          .map(
            (c) =>
              [...c].length &&
              c
                .split('')
                .map((u) => `\\u${u.charCodeAt(0).toString(16).padStart(4, '0')}`)
                .join(''),
          )
          .join('')}"`
      : JSON.stringify(n);
    return `${text}${before}:${after}${value}`;
  });
}

const document = fc
  .tuple(space, jsonValue, space)
  .map(([before, value, after]) => before + value + after)
  .filter((text) => checkJson(text) === undefined);

describe('a merge patch', () => {
  test('gives what the pseudocode of RFC 7396 gives, as text that can be stored', () => {
    fc.assert(
      fc.property(document, document, (target, patch) => {
        const merged = mergePatch(target, patch);
        expect(checkJson(merged)).toBeUndefined();
        expect(parsed(merged)).toEqual(reference(parsed(target), parsed(patch)));
      }),
      { numRuns: 2_000 },
    );
  });

  test('is the same when applied twice', () => {
    fc.assert(
      fc.property(document, document, (target, patch) => {
        const once = mergePatch(target, patch);
        expect(mergePatch(once, patch)).toBe(once);
      }),
      { numRuns: 500 },
    );
  });

  test('that changes nothing leaves the text as it is', () => {
    fc.assert(
      fc.property(document, (target) => {
        fc.pre(target.trim().startsWith('{'));
        expect(mergePatch(target, ' { } ')).toBe(target);
      }),
      { numRuns: 500 },
    );
  });

  // The table of RFC 7396, appendix A.
  test.each([
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', '{}'],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['["a","b"]', '["c","d"]', '["c","d"]'],
    ['{"a":"b"}', '["c"]', '["c"]'],
    ['{"a":"foo"}', 'null', 'null'],
    ['{"a":"foo"}', '"bar"', '"bar"'],
    ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
    ['[1,2]', '{"a":"b","c":null}', '{"a":"b"}'],
    ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
  ])('%s changed by %s is %s', (target, patch, result) => {
    expect(mergePatch(target, patch)).toBe(result);
  });

  test.each([
    ['{"id": 9007199254740993, "n": 1.10, "a": 1}', '{"a":2}', '{"id": 9007199254740993, "n": 1.10, "a": 2}'],
    [
      '{\n  "a": 1,\n  "b": 2\n}',
      '{"c":12345678901234567890}',
      '{\n  "a": 1,\n  "b": 2,"c":12345678901234567890\n}',
    ],
    ['{\n  "a": 1,\n  "b": 2\n}', '{"b":null}', '{\n  "a": 1\n}'],
    ['{"z":1,"1":2,"a":{"z": 1e2}}', '{"a":{"b":[null]}}', '{"z":1,"1":2,"a":{"z": 1e2,"b":[null]}}'],
    ['{"a":1}', '{"\\u0061":2}', '{"a":2}'],
  ])('what is not touched in %j keeps its text', (target, patch, result) => {
    expect(mergePatch(target, patch)).toBe(result);
  });

  test('a row that somebody changed by SQL may hold what no request may send', () => {
    const digits = '9'.repeat(500);
    const deep = '['.repeat(5_000) + ']'.repeat(5_000);
    expect(mergePatch(`{"n": ${digits}, "d": ${deep}}`, '{"a":1}')).toBe(
      `{"n": ${digits}, "d": ${deep},"a":1}`,
    );
  });

  test('the deepest patch on the deepest value neither overflows nor takes long', () => {
    const nested = (inner: string) => '{"a":'.repeat(99) + inner + '}'.repeat(99);
    const target = nested(JSON.stringify({ text: 'x'.repeat(100_000) }));
    expect(mergePatch(target, nested('{"b":1}'))).toContain(',"b":1}');
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkJson, MAX_JSON_DEPTH } from '../../domain/json-text.ts';
import { jsonLikeText, mutatedJson } from '../support/json-arbitrary.ts';

const SLASH = '\\';

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe('the grammar is that of RFC 8259', () => {
  test.each([
    'null',
    'true',
    'false',
    '0',
    '-0',
    '1.5e+10',
    '1E-10',
    '""',
    '[]',
    '{}',
    ' \t\r\n[ 1 , { "a" : [ ] } ]\n',
    '"😀 é \u2028 \ud7ff \ue000 \uffff \u007f"',
    `"${SLASH}"${SLASH}${SLASH}${SLASH}/${SLASH}b${SLASH}f${SLASH}n${SLASH}r${SLASH}t${SLASH}u00e9"`,
    `"${SLASH}ud83d${SLASH}uDE00"`,
    `"${'plain text longer than the first few characters '.repeat(9)}é${'x'.repeat(40)}"`,
  ])('%j is fine', (text) => {
    expect(checkJson(text)).toBeUndefined();
    expect(isJson(text)).toBe(true);
  });

  test.each([
    '',
    ' \n',
    '\ufeff1',
    'nul',
    'nulll',
    'True',
    'NaN',
    'undefined',
    '01',
    '-',
    '+1',
    '.5',
    '1.',
    '1e',
    '1e+',
    '0x10',
    '1 2',
    '"',
    '"a',
    '"\n"',
    `"${'x'.repeat(40)}\t"`,
    "'a'",
    `"${SLASH}x"`,
    `"${SLASH}u12"`,
    `"${SLASH}u12g4"`,
    `"${SLASH}`,
    '[',
    '[1',
    '[1,',
    '[1,]',
    '[,1]',
    '[1 2]',
    '[1}',
    ']',
    '{',
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":1,',
    '{"a":1,}',
    '{a:1}',
    '{"a" 1}',
    '{"a":1]',
    '{1:1}',
    '{,}',
    '[]]',
    '\u00a01',
    '/* */1',
  ])('%j is refused', (text) => {
    expect(checkJson(text)).toBeDefined();
    expect(isJson(text)).toBe(false);
  });

  test('every single character is taken or refused in a string as JSON.parse does, early and late', () => {
    const wrong: string[] = [];
    for (let unit = 0; unit <= 0xffff; unit += 1) {
      if (unit >= 0xd800 && unit <= 0xdfff) continue;
      for (const filler of ['', 'x'.repeat(50)]) {
        const text = `"${filler}${String.fromCharCode(unit)}"`;
        if ((checkJson(text) === undefined) !== isJson(text)) wrong.push(unit.toString(16));
      }
    }
    expect(wrong).toEqual([]);
  });

  test('arbitrary text that is accepted is JSON', () => {
    fc.assert(
      fc.property(jsonLikeText, (text) => {
        fc.pre(checkJson(text) === undefined);
        JSON.parse(text);
      }),
      { numRuns: 2_000, maxSkipsPerRun: 1_000 },
    );
  });

  test('text that JSON.parse takes is refused only for a stated reason, and the other way round never', () => {
    const beyondGrammar = /twice|NUL|surrogate|digits|exponent|deeper/;
    fc.assert(
      fc.property(fc.oneof(jsonLikeText, mutatedJson), (text) => {
        const problem = checkJson(text);
        if (isJson(text)) expect(problem?.message ?? 'twice').toMatch(beyondGrammar);
        else expect(problem).toBeDefined();
      }),
      { numRuns: 5_000 },
    );
  });

  test('whatever JSON.stringify writes is accepted, compact or indented', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.nat(3), (value, indent) => {
        const text = JSON.stringify(value);
        // The limits apply to doubles too: the smallest ones are written with exponents down to -324.
        fc.pre(!text.includes('u0000') && !/e-3(09|1|2)/.test(text));
        expect(checkJson(JSON.stringify(value, null, indent))).toBeUndefined();
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('what jsonb rejects or changes is refused', () => {
  test.each([
    ['NUL', `"a${SLASH}u0000"`, 2],
    ['a high surrogate alone', `"${SLASH}ud800"`, 1],
    ['a high surrogate before something else', `"${SLASH}ud800${SLASH}n"`, 1],
    ['a high surrogate before a raw low one', `"${SLASH}ud83d\ude00"`, 1],
    ['two high surrogates', `"${SLASH}ud800${SLASH}ud800${SLASH}udc00"`, 1],
    ['a low surrogate alone', `"${SLASH}udc00"`, 1],
    ['a raw high surrogate', '"abc\ud800"', 4],
    ['a raw low surrogate', '"abc\udc00"', 4],
    ['a raw surrogate late in a long string', `"${'x'.repeat(100)}\udc00"`, 101],
    ['NUL in a name', `{"${SLASH}u0000":1}`, 2],
  ])('%s', (_, text, offset) => {
    expect(checkJson(text)).toMatchObject({ offset, message: expect.stringMatching(/NUL|surrogate/) });
  });

  test.each([
    ['the same spelling', '{"a":1,"b":2,"a":3}', 13],
    ['another spelling', `{"a":1,"${SLASH}u0061":3}`, 7],
    ['escaped and plain slash', `{"a/b":1,"a${SLASH}/b":3}`, 9],
    ['an empty name', '{"":1,"":2}', 6],
    ['__proto__', '{"__proto__":1,"__proto__":2}', 15],
  ])('a member twice: %s', (_, text, offset) => {
    expect(checkJson(text)).toMatchObject({ offset, message: 'a member name occurs twice in one object' });
  });

  test('a member twice is found in objects of every size, wherever the two are', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 40 }), fc.nat(), (names, pick) => {
        const members = names.map((name) => `${JSON.stringify(name.replaceAll('\0', ''))}:0`);
        fc.pre(new Set(members).size === members.length);
        expect(checkJson(`{${members.join(',')}}`)).toBeUndefined();
        const twice = members[pick % members.length];
        expect(checkJson(`{${[...members, twice].join(',')}}`)?.message).toContain('twice');
      }),
    );
  });

  test('the same name in different objects is fine', () => {
    expect(checkJson('[{"a":{"a":{"a":1}}},{"a":1}]')).toBeUndefined();
  });

  test('the names of a large object do not leak into its neighbours', () => {
    const large = `{${Array.from({ length: 50 }, (_, i) => `"n${i}":${i}`).join(',')}}`;
    expect(checkJson(`[${large},${large},{"x":${large},"n1":1}]`)).toBeUndefined();
  });

  test('numbers have at most 100 digits, those of the exponent included', () => {
    for (const [most, over] of [
      ['9'.repeat(100), '9'.repeat(101)],
      [`-${'9'.repeat(100)}`, `-${'9'.repeat(101)}`],
      [`0.${'1'.repeat(99)}`, `0.${'1'.repeat(100)}`],
      [`${'1'.repeat(98)}e10`, `${'1'.repeat(99)}e10`],
    ] as const) {
      expect(checkJson(most)).toBeUndefined();
      expect(checkJson(over)).toMatchObject({
        offset: 0,
        message: 'a number must not have more than 100 digits',
      });
    }
  });

  test('zeros at the ends of a number without exponent do not count, up to what an exponent makes of it', () => {
    const digits = '1'.repeat(99);
    for (const [most, over] of [
      [digits + '0'.repeat(309), digits + '0'.repeat(310)],
      [`-0.${'0'.repeat(308)}${digits}`, `-0.${'0'.repeat(309)}${digits}`],
      [`0.${'0'.repeat(407)}`, `0.${'0'.repeat(408)}`],
      [`${digits}.00`, `1${digits}.00`],
      [`${digits}00`, `1${'0'.repeat(99)}1`],
    ] as const) {
      expect(checkJson(most)).toBeUndefined();
      expect(checkJson(over)?.message).toContain('digits');
    }
  });

  test('long numbers full of zeros take no longer than others', () => {
    const number = `1${'0'.repeat(400)}1`;
    const began = performance.now();
    for (let i = 0; i < 10_000; i += 1) expect(checkJson(number)).toBeDefined();
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  test('exponents are within ±308', () => {
    for (const fine of ['1e308', '1e+308', '1E-308', '1e0308', '0e308']) {
      expect(checkJson(fine)).toBeUndefined();
    }
    for (const over of ['1e309', '-1e-309', '1e131071', '0e309', `1e${'9'.repeat(90)}`]) {
      expect(checkJson(over)?.message).toContain('exponent');
    }
  });

  test('numbers that JavaScript would round are accepted as they are', () => {
    expect(checkJson('[9007199254740993, 0.1000000000000000055511151231257827]')).toBeUndefined();
  });
});

describe('limits', () => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);

  test('nesting may be as deep as the limit and no deeper', () => {
    expect(checkJson(nested(MAX_JSON_DEPTH))).toBeUndefined();
    expect(checkJson(nested(MAX_JSON_DEPTH + 1))).toMatchObject({
      offset: 100,
      path: '/0'.repeat(100),
      message: 'nested deeper than 100 levels',
    });
    expect(checkJson('1', { maxDepth: 0 })).toBeUndefined();
    expect(checkJson('[]', { maxDepth: 0 })).toBeDefined();
    expect(checkJson('{"a":[{}]}', { maxDepth: 3 })).toBeUndefined();
    expect(checkJson('{"a":[{"b":[]}]}', { maxDepth: 3 })).toBeDefined();
  });

  test('depth counts what is open, not what was', () => {
    expect(checkJson(`[${'[[]],'.repeat(1_000)}[]]`, { maxDepth: 3 })).toBeUndefined();
  });

  test('no nesting and no length overflows the stack', () => {
    const depth = 1_000_000;
    expect(checkJson(nested(depth))).toBeDefined();
    expect(checkJson(nested(depth), { maxDepth: depth })).toBeUndefined();
    expect(checkJson(`"${'x'.repeat(5_000_000)}"`)).toBeUndefined();
    expect(checkJson('9'.repeat(5_000_000))?.message).toContain('digits');
  });
});

describe('a problem says where it is', () => {
  test.each([
    ['{"a":[1,{"b":tru}]}', 13, '/a/1/b'],
    ['[1,2,x]', 5, '/2'],
    ['{"a/b~c":{"d":01}}', 15, '/a~1b~0c/d'],
    [`{"a":1,"b":{"${SLASH}u0063":}}`, 21, '/b/c'],
    ['[[],[[],[}]]', 9, '/1/1/0'],
    ['{"a":1,b:2}', 7, ''],
    ['{"a":{"x":1,"x":2}}', 12, '/a/x'],
    ['[1,2', 4, '/1'],
    ['{}x', 2, ''],
  ])('%s', (text, offset, path) => {
    expect(checkJson(text)).toMatchObject({ offset, path });
  });

  test('the message never holds a part of the text', () => {
    const secret = 'hunter2';
    for (const text of [
      `["${secret}" "${secret}"]`,
      `["${secret}${SLASH}u0000"]`,
      `{"${secret}":1,"${secret}":2}`,
      `[${secret}]`,
      `["${secret}`,
    ]) {
      expect(checkJson(text)?.message).toBeTypeOf('string');
      expect(checkJson(text)?.message).not.toContain(secret);
    }
  });
});

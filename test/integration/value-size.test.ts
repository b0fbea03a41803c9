import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { documentText, requireJsonText } from '../../api/json-value.ts';
import { compactWithin } from '../../domain/json-compact.ts';
import { checkJson, inspectJson } from '../../domain/json-text.ts';
import { numberText, documentText as someDocument, valueText } from '../support/value-arbitrary.ts';
import { cached, createWorld, ORDERS, type Part, type World } from './rules-fixture.ts';

const MAX = 2_000;

let world: World;
let part: Part;
let small: Part;
beforeAll(async () => {
  world = await createWorld();
  part = await world.part();
  small = await world.part({ MAX_VALUE_BYTES: String(MAX) });
});
afterAll(() => world.close());

const bytes = (text: string) => Buffer.byteLength(text);
const kept = async (key: string) => (await part.reader.read(ORDERS, key, cached())).state.value ?? '';
const write = (key: string, value: string) => part.through.write(ORDERS, key, value, cached());
const evict = (key: string) => world.raw.del(`hf:{p00}:e:orders/${key}`);
async function printed(text: string): Promise<string> {
  const { rows } = await sql<{ text: string }>`SELECT ${text}::jsonb::text AS text`.execute(part.ctx.db);
  return rows[0]?.text ?? '';
}

function accepted(text: string, maxBytes: number): boolean {
  if (bytes(text) > maxBytes) return false;
  try {
    documentText(text, requireJsonText(text), maxBytes);
    return true;
  } catch {
    return false;
  }
}

const patched = (of: Part, key: string, patch: string) =>
  of.patch(ORDERS, key, patch, cached()).then(
    () => 'written',
    (error) => error.code as string,
  );

test('numbers are counted as PostgreSQL prints them, and may be sent again as it does', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(numberText, { minLength: 1, maxLength: 40 }), async (numbers) => {
      const text = `[${numbers.join(',')}]`;
      const stored = (await printed(text)).replaceAll(' ', '');
      expect(compactWithin(text, 100_000)).toBe(stored);
      expect(bytes(stored)).toBeLessThanOrEqual(bytes(text) + Number(inspectJson(text)));
      expect(checkJson(stored)).toBeUndefined();
    }),
    { numRuns: 300 },
  );
});

test('a compact form is as long as what PostgreSQL prints, less its spaces, however a value is spelled', async () => {
  await fc.assert(
    fc.asyncProperty(valueText, async (text) => {
      fc.pre(checkJson(text) === undefined);
      const stored = await printed(text);
      const compact = compactWithin(text, 1_000_000) ?? '';
      expect(JSON.parse(compact, noZero)).toEqual(JSON.parse(stored, noZero));
      expect(compactWithin(stored, 1_000_000)).toHaveLength(compact.length);
      expect(bytes(compactWithin(stored, 1_000_000) ?? '')).toBe(bytes(compact));
      expect(bytes(compact)).toBeLessThanOrEqual(bytes(stored));
      expect(bytes(compact)).toBeLessThanOrEqual(bytes(text) + Number(inspectJson(text)));
      expect(compactWithin(text, bytes(compact))).toBe(compact);
      expect(compactWithin(text, bytes(compact) - 1)).toBeUndefined();
    }),
    { numRuns: 500 },
  );
});

/** `jsonb` has one zero. */
function noZero(_: string, value: unknown): unknown {
  return Object.is(value, -0) ? 0 : value;
}

test('what is accepted is at most half as long again in PostgreSQL, and a patch that changes nothing is accepted from cache and row', async () => {
  let [yes, no, grown] = [0, 0, 0];
  await fc.assert(
    fc.asyncProperty(someDocument(MAX), async (text) => {
      fc.pre(checkJson(text) === undefined);
      const stored = await printed(text);
      if (!accepted(text, MAX)) {
        no += 1;
        expect(Math.max(bytes(text), bytes(compactWithin(text, 1_000_000) ?? ''))).toBeGreaterThan(MAX);
        return;
      }
      yes += 1;
      if (bytes(stored) > MAX) grown += 1;
      expect(bytes(stored)).toBeLessThanOrEqual(MAX * 1.5);
      await write('p', text);
      expect([await kept('p'), await patched(small, 'p', '{}')]).toEqual([text, 'written']);
      expect(await kept('p')).toBe(text);
      await evict('p');
      expect([await kept('p'), await patched(small, 'p', '{}')]).toEqual([stored, 'written']);
      expect(bytes(await kept('p'))).toBeLessThanOrEqual(MAX);
    }),
    // The one that grows most: a list of digits.
    { numRuns: 150, examples: [[`{"a":[${'1,'.repeat(990)}1]}`]] },
  );
  // Else the generator would miss what this is about.
  expect([yes > 10, no > 10, grown > 0]).toEqual([true, true, true]);
});

const ones = `{"a":[${'1,'.repeat(40_000)}1]}`;
const member = (size: number) => `{"b":"${'x'.repeat(size)}"}`;
test.each([
  ['numbers that are fine', '{"n":[1e308,-1.50e-308,0e-300]}', '{}', 'written'],
  ['numbers that are too large', `{"a":[${'1e308,'.repeat(600)}1]}`, '{}', 'value-too-large'],
  ['such numbers, taken away', `{"a":[${'1e308,'.repeat(600)}1]}`, '{"a":1}', 'written'],
  ['a long list and too much', ones, member(90_000), 'value-too-large'],
  ['a long list and more', ones, member(50_000), 'written'],
  ['escapes that are not needed', `{"a":"${'\\u0061'.repeat(20_000)}"}`, member(90_000), 'written'],
  ['many spaces', `{${' '.repeat(100_000)}"a":1}`, member(90_000), 'written'],
])('a patch is answered the same from the cache and from the row: %s', async (_, base, patch, answer) => {
  for (const from of ['cache', 'row']) {
    await write('s', base);
    if (from === 'row') await evict('s');
    expect([from, await patched(part, 's', patch)]).toEqual([from, answer]);
    if (answer !== 'written') continue;
    const text = await kept('s');
    expect(bytes(text)).toBeLessThanOrEqual(part.ctx.environment.MAX_VALUE_BYTES);
    expect(JSON.parse(text)).toEqual({ ...JSON.parse(base), ...JSON.parse(patch) });
  }
});

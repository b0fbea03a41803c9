import fc from 'fast-check';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkJson, MAX_JSON_DEPTH } from '../../domain/json-text.ts';
import { jsonLikeText, mutatedJson } from '../support/json-arbitrary.ts';
import { createDatabase, type TestDatabase } from '../support/services.ts';

let database: TestDatabase;
let client: Client;

beforeAll(async () => {
  database = await createDatabase();
  client = new Client({ connectionString: database.url });
  await client.connect();
});

afterAll(async () => {
  await client?.end();
  await database?.drop();
});

/** The text as `jsonb` gives it back, or `undefined` where `jsonb` rejects it. */
async function throughJsonb(text: string): Promise<string | undefined> {
  try {
    const { rows } = await client.query<{ text: string }>('SELECT $1::jsonb::text AS text', [text]);
    return rows[0]?.text;
  } catch (error) {
    const code = (error as { code?: string }).code;
    if (code?.startsWith('22') || code === '54001') return undefined;
    throw error;
  }
}

/** The value of a text. `jsonb` has one zero, JavaScript two. */
function meaning(text: string): unknown {
  return JSON.parse(text, (_, value) => (Object.is(value, -0) ? 0 : value));
}

test('whatever is accepted, jsonb accepts and gives back with the same meaning', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(jsonLikeText, mutatedJson, fc.json({ maxDepth: 5 })), async (text) => {
      fc.pre(checkJson(text) === undefined);
      const stored = await throughJsonb(text);
      expect(stored).toBeDefined();
      expect(meaning(stored!)).toEqual(meaning(text));
    }),
    { numRuns: 1_000, maxSkipsPerRun: 1_000 },
  );
});

test('whatever jsonb rejects is refused', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(jsonLikeText, mutatedJson), async (text) => {
      // A raw NUL or a raw half of a pair cannot be sent as they are.
      fc.pre(text.isWellFormed() && !text.includes('\0'));
      if ((await throughJsonb(text)) === undefined) expect(checkJson(text)).toBeDefined();
    }),
    { numRuns: 1_000, maxSkipsPerRun: 1_000 },
  );
});

test('the limits stay far inside those of jsonb', async () => {
  const deepest = '['.repeat(MAX_JSON_DEPTH) + ']'.repeat(MAX_JSON_DEPTH);
  for (const text of [
    deepest,
    '9'.repeat(100),
    `-0.${'1'.repeat(95)}e-308`,
    '1e308',
    '-0',
    '"\\ud83d\\ude00"',
  ]) {
    expect(checkJson(text)).toBeUndefined();
    const stored = await throughJsonb(text);
    expect(stored).toBeDefined();
    expect(stored!.length).toBeLessThan(text.length + 420);
  }
});

test('numbers that JavaScript would round come back digit for digit', async () => {
  for (const text of ['9007199254740993', '0.1000000000000000055511151231257827021181583404541015625']) {
    expect(checkJson(text)).toBeUndefined();
    expect(await throughJsonb(text)).toBe(text);
  }
});

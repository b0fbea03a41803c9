import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createApi, ProblemError } from '../../console/model/call.ts';
import { readExplanation } from '../../console/model/explanation.ts';
import { jsonMembers } from '../../console/model/json-members.ts';
import { cleanKey } from '../../console/model/key.ts';

test('the members of an object, put together again, are the object', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom(0, 2), (object, indent) => {
      const members = jsonMembers(JSON.stringify(object, null, indent)) ?? {};
      const parsed = Object.entries(members).map(([name, text]) => [name, JSON.parse(text)]);
      expect(JSON.stringify(Object.fromEntries(parsed))).toBe(JSON.stringify(object));
    }),
  );
  expect(jsonMembers('{"__proto__": 1}')).toHaveProperty('__proto__', '1');
  expect(jsonMembers('[1]')).toBeUndefined();
});

test('an explanation keeps numbers that JSON.parse would round', () => {
  const value = '{"n": 12345678901234567890, "text": "\\"}"}';
  const copy = `{"version":4,"deleted":false,"value":${value}}`;
  const explained = readExplanation(
    `{"collection":"carts","key":"a","partition":0,"epoch":"1-a","cached":${copy},"pending":null,"row":{"version":2,"deleted":true,"value":null},"setAside":[3,5],"winner":"cached"}`,
  );
  expect(explained).toMatchObject({ partition: '0', epoch: '1-a', winner: 'cached', setAside: ['3', '5'] });
  expect(explained.copies.cached).toMatchObject({ version: '4', deleted: false, value });
  expect(explained.copies.pending).toBeUndefined();
  expect(explained.copies.row).toMatchObject({ version: '2', deleted: true });
});

test('a call sends the key as a header, and a refusal is told in the words of the API', async () => {
  const sent: [unknown, RequestInit | undefined][] = [];
  const body = {
    code: 'invalid-request',
    detail: 'No.',
    errors: [{ path: '/reason', message: 'is missing' }],
  };
  const api = createApi('hf_1', async (url, init) => {
    sent.push([url, init]);
    return Response.json(body, { status: 400 });
  });
  const failure = await api.json('POST', '/x', { body: '1' }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ProblemError);
  expect(failure).toMatchObject({
    status: 400,
    code: 'invalid-request',
    message: 'No. (/reason is missing)',
  });
  expect(sent).toMatchObject([
    [
      '/x',
      {
        method: 'POST',
        body: '1',
        headers: { authorization: 'Bearer hf_1', 'content-type': 'application/json' },
      },
    ],
  ]);
});

test('what something in between answers is told by its status', async () => {
  const api = createApi(undefined, async () => new Response('<html>', { status: 502 }));
  await expect(api.text('GET', '/x')).rejects.toThrow('The answer was 502, without a reason.');
});

test('a key is taken with the spaces and the word that it was pasted with, and nothing else', () => {
  const key = `hf_${'0f'.repeat(32)}`;
  expect([key, ` Bearer ${key}\n`, `${key}0`, 'hf_x'].map(cleanKey)).toEqual([
    key,
    key,
    undefined,
    undefined,
  ]);
});

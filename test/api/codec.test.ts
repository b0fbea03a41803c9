import { expect, test } from 'vitest';
import { createPayloadCodec } from '../../storage/temporal/payload-codec.ts';
import { testKey } from '../support/api-key.ts';
import { problemOf, startApi } from './fixture.ts';

const UI = 'http://localhost:8233';
const plain = { metadata: { encoding: btoa('json/plain') }, data: btoa(JSON.stringify('x'.repeat(20_000))) };

const post = (payloads: unknown, headers: Record<string, string> = {}) => ({
  body: JSON.stringify({ payloads }),
  headers: { 'content-type': 'application/json', 'x-namespace': 'default', ...headers },
});

test('payloads are encoded as processes write them, and decoded again; what is plain stays so', async () => {
  const { request } = await startApi();
  const encoded = (await (await request('POST', '/codec/encode', post([plain]))).json()) as {
    payloads: { metadata: { encoding: string } }[];
  };
  expect(atob(encoded.payloads[0]?.metadata.encoding ?? '')).toBe('binary/zlib');
  const decoded = await request('POST', '/codec/decode', post([...encoded.payloads, plain, {}]));
  expect(decoded.status).toBe(200);
  expect(await decoded.json()).toEqual({ payloads: [plain, plain, { metadata: {}, data: '' }] });
});

test('what cannot be decoded is refused with its reason', async () => {
  const { request } = await startApi();
  const metadata = { encoding: btoa('binary/encrypted'), 'encryption-key-id': btoa('2026-11') };
  const refused = await request('POST', '/codec/decode', post([{ metadata, data: btoa('0123456789') }]));
  expect(refused.status).toBe(400);
  expect(await problemOf(refused)).toMatchObject({
    code: 'invalid-request',
    detail: expect.stringContaining('the key "2026-11", which this process does not have; add that key'),
  });
  const garbage = { metadata: { encoding: btoa('binary/zlib') }, data: btoa('not deflated') };
  expect((await request('POST', '/codec/decode', post([garbage]))).status).toBe(400);
  expect((await request('POST', '/codec/decode', post([{ data: 'no base64!' }]))).status).toBe(400);
});

test('payloads that are small only while they are compressed are bounded in sum', async () => {
  const { request } = await startApi();
  const metadata = { encoding: Buffer.from('json/plain') };
  const codec = createPayloadCodec({ PAYLOAD_COMPRESS_FROM_BYTES: 1, PAYLOAD_ENCRYPTION_KEYS: [] });
  const [long] = await codec.encode([{ metadata, data: new Uint8Array(12 * 1024 * 1024) }]);
  const bomb = {
    metadata: { encoding: btoa('binary/zlib') },
    data: Buffer.from(long?.data ?? []).toString('base64'),
  };
  expect((await request('POST', '/codec/decode', post([bomb]))).status).toBe(200);
  const refused = await request('POST', '/codec/decode', post(Array(6).fill(bomb)));
  expect(refused.status).toBe(413);
  expect(await problemOf(refused)).toMatchObject({
    code: 'value-too-large',
    detail: 'The payloads are larger than 64 MiB when they are decoded: send fewer of them at once.',
  });
});

test('the Web UI of Temporal may call it from a browser, by either name of this machine; other pages may not', async () => {
  const { request } = await startApi();
  const ask = (origin: string) => ({
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type, x-namespace, authorization',
    },
  });
  for (const origin of [UI, 'http://127.0.0.1:8233']) {
    const preflight = await request('OPTIONS', '/codec/decode', ask(origin));
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe(origin);
    expect(preflight.headers.get('access-control-allow-headers')).toContain('x-namespace');
    const answer = await request('POST', '/codec/decode', post([plain], { origin }));
    expect(answer.headers.get('access-control-allow-origin')).toBe(origin);
    expect(answer.headers.get('access-control-allow-credentials')).toBe('true');
  }
  const evil = 'https://evil.example';
  expect(
    (await request('OPTIONS', '/codec/decode', ask(evil))).headers.has('access-control-allow-origin'),
  ).toBe(false);
  expect((await request('POST', '/codec/decode', post([plain], { origin: evil }))).status).toBe(403);
  // Nor may the Web UI do anything else here.
  const entry = '/v1/collections/carts/entries/ada';
  expect((await request('GET', entry, { headers: { origin: UI } })).status).toBe(403);
});

test('where there are keys, it takes one with the scope "codec"', async () => {
  const codec = testKey('codec', ['codec']);
  const ops = testKey('ops', ['ops', 'read:*', 'write:*']);
  const { request } = await startApi({}, { keys: [codec.key, ops.key] });
  expect((await request('POST', '/codec/decode', post([plain]))).status).toBe(401);
  const refused = await request('POST', '/codec/decode', post([plain], ops.headers));
  expect(refused.status).toBe(403);
  expect(refused.headers.get('www-authenticate')).toContain('scope="codec"');
  expect((await request('POST', '/codec/decode', post([plain], codec.headers))).status).toBe(200);
  expect((await request('GET', '/ops/v1/dead-letters', { headers: codec.headers })).status).toBe(403);
});

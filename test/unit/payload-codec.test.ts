import { randomBytes } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readEnvironment } from '../../config/environment.ts';
import { createPayloadCodec } from '../../storage/temporal/payload-codec.ts';

const newKey = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
const codec = (keys = '', from = '1000') =>
  createPayloadCodec(readEnvironment({ PAYLOAD_ENCRYPTION_KEYS: keys, PAYLOAD_COMPRESS_FROM_BYTES: from }));
const payload = (value: unknown): Payload => defaultPayloadConverter.toPayload(value) as Payload;
const readable = (one: Payload | undefined) => defaultPayloadConverter.fromPayload<unknown>(one as Payload);
const encodingOf = (one: Payload | undefined) => Buffer.from(one?.metadata?.encoding ?? []).toString();

const LONG = { words: 'the same words again and again. '.repeat(200) };

test('short payloads stay as they are, long ones take a fraction of their bytes', async () => {
  const [short, long] = await codec().encode([payload('short'), payload(LONG)]);
  expect(short).toEqual(payload('short'));
  expect(encodingOf(long)).toBe('binary/zlib');
  expect(long?.data?.length).toBeLessThan(500);
  expect(await codec('', '0').encode([payload(LONG)])).toEqual([payload(LONG)]);
  // Nothing is won: left alone.
  const [noise] = await codec().encode([{ ...payload('x'), data: randomBytes(4_000) }]);
  expect(encodingOf(noise)).toBe('json/plain');
});

test('with a key nothing of a payload can be read, and nothing can be changed unnoticed', async () => {
  const keys = newKey('2026-11');
  const [sealed] = await codec(keys).encode([payload('the secret')]);
  expect(encodingOf(sealed)).toBe('binary/encrypted');
  expect(Buffer.from(sealed?.data ?? []).toString('latin1')).not.toContain('secret');
  expect(readable((await codec(keys).decode([sealed as Payload]))[0])).toBe('the secret');
  const data = Buffer.from(sealed?.data ?? []);
  data.writeUInt8(data.readUInt8(20) ^ 1, 20);
  await expect(codec(keys).decode([{ ...sealed, data }])).rejects.toMatchObject({ name: 'UnreadableBatch' });
});

test('processes of other settings read each other: before a key, with it, after the next, and without compression', async () => {
  const [old, next] = [newKey('old'), newKey('next')];
  const settings = [
    ['', '0'],
    ['', '100'],
    [old, '100'],
    [`${old},${next}`, '0'],
    [`${next},${old}`, '100'],
  ] as const;
  const reader = codec(`${next},${old}`);
  for (const [keys, from] of settings) {
    const written = await codec(keys, from).encode([payload(LONG), payload('short')]);
    expect((await reader.decode(written)).map(readable)).toEqual([LONG, 'short']);
  }
  const [byNext] = await codec(`${next},${old}`).encode([payload(1)]);
  await expect(codec(old).decode([byNext as Payload])).rejects.toMatchObject({
    name: 'UnreadableBatch',
    message: 'a payload is encrypted with the key "next", which this process does not have',
  });
});

test('another key of the same name is told from the right one', async () => {
  const [written] = await codec(newKey('k')).encode([payload(1)]);
  await expect(codec(newKey('k')).decode([written as Payload])).rejects.toThrow(
    'cannot be decrypted with it',
  );
});

test('any payload comes back byte for byte', async () => {
  const subject = codec(newKey('k'), '50');
  const bytes = fc.uint8Array({ maxLength: 300 });
  await fc.assert(
    fc.asyncProperty(fc.dictionary(fc.string({ minLength: 1 }), bytes), bytes, async (metadata, data) => {
      // What says of itself that it is encoded is taken at its word.
      delete metadata.encoding;
      const [back] = await subject.decode(await subject.encode([{ metadata, data }]));
      expect(Buffer.from(back?.data ?? [])).toEqual(Buffer.from(data));
      expect(Object.keys(back?.metadata ?? {}).sort()).toEqual(Object.keys(metadata).sort());
    }),
    { numRuns: 200 },
  );
});

test('a small payload that would inflate to a huge one is refused', async () => {
  const bomb = { metadata: { encoding: Buffer.from('binary/zlib') }, data: bombOf(64 * 1024 * 1024) };
  await expect(codec().decode([bomb])).rejects.toThrow();
});

function bombOf(bytes: number): Uint8Array {
  return deflateSync(Buffer.alloc(bytes));
}

test('who cannot decrypt a payload is told that another installation may have encrypted it', async () => {
  const [written] = await codec(newKey('k')).encode([payload(1)]);
  for (const known of [newKey('k'), newKey('other')]) {
    await expect(codec(known).decode([written as Payload])).rejects.toMatchObject({
      remedy: expect.stringMatching(/PAYLOAD_ENCRYPTION_KEYS.*another Holdfast installation.*namespace/),
    });
  }
});

import { describe, expect, test } from 'vitest';
import { documentBody } from '../../bench/document-body.ts';
import type { RequestShape } from '../../bench/load-messages.ts';
import { requestText } from '../../bench/request-text.ts';

const PUT: RequestShape = {
  method: 'PUT',
  path: ['/entries/', ''],
  key: 'k-',
  pick: 'each',
  of: 0,
  bytes: 100,
  reads: 0,
  batch: 0,
  headers: {},
};

describe('requests', () => {
  test.each([100, 1_024, 32_768])('carry JSON documents of exactly %i bytes', (bytes) => {
    for (const n of [0, 1, 123_456]) {
      expect(Buffer.byteLength(documentBody(n, bytes))).toBe(bytes);
      expect(JSON.parse(documentBody(n, bytes))).toMatchObject({ id: String(n).padStart(10, '0') });
    }
  });

  test('say how long their body is', () => {
    const { text, writes } = requestText(PUT)(7);
    const [head, body] = text.split('\r\n\r\n');
    expect(head).toMatch(/^PUT \/entries\/k-7 HTTP\/1\.1\r\n/);
    expect(head).toContain(`content-length: ${body!.length}`);
    expect(writes).toBe(1);
  });

  test('are reads as often as asked for, over the same keys', () => {
    const textOf = requestText({ ...PUT, pick: 'zipf', of: 20, reads: 0.9 });
    const all = Array.from({ length: 10_000 }, (_, n) => textOf(n));
    const reads = all.filter(({ text }) => text.startsWith('GET '));
    expect(reads.length).toBeGreaterThan(8_850);
    expect(reads.length).toBeLessThan(9_150);
    expect(reads.every(({ writes }) => writes === 0)).toBe(true);
    const keysOf = (some: typeof all) => new Set(some.map(({ text }) => text.split(' ')[1]));
    expect(keysOf(reads)).toEqual(keysOf(all.filter((one) => !reads.includes(one))));
  });

  test('that are batches write keys that no other one writes', () => {
    const textOf = requestText({ ...PUT, path: ['/v1/batch', ''], method: 'POST', batch: 3 });
    const keys = [0, 1, 2].flatMap((n) => {
      const body = JSON.parse(textOf(n).text.split('\r\n\r\n')[1]!);
      return body.operations.map((operation: { key: string }) => operation.key);
    });
    expect(new Set(keys).size).toBe(9);
  });
});

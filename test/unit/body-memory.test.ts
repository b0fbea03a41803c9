import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { readJsonText, type UnreadBody } from '../../api/body.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function memory(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** A body whose chunks come when the test says so. */
function unreadBody() {
  const incoming = Object.assign(new EventEmitter(), { headers: {}, pause() {} });
  const unread: UnreadBody = {
    incoming: incoming as unknown as IncomingMessage,
    bodies: { maxBytes: 1_000_000, detail: '', heldBytes: 0 },
  };
  return { incoming, unread };
}

test('a body that comes byte by byte takes little more memory than its bytes', async () => {
  const { incoming, unread } = unreadBody();
  const limits = { maxBytes: 1_000_000, deadlineAt: performance.now() + 30_000 };
  const body = Buffer.from('1234567890'.repeat(40_000));
  const before = memory();
  const text = readJsonText(unread, limits);
  for (let i = 0; i < body.length; i += 1) incoming.emit('data', body.subarray(i, i + 1));
  expect(memory() - before).toBeLessThan(5_000_000);
  incoming.emit('end');
  expect((await text) === body.toString()).toBe(true);
});

test.each([[[3]], [[1, 1, 1]], [[5, 0, 2, 70_000]], [[70_000, 1]], [[]]])(
  'a body in chunks of %j bytes is what was sent, and chunks stay as they were',
  async (sizes) => {
    const { incoming, unread } = unreadBody();
    const limits = { maxBytes: 100_000, deadlineAt: performance.now() + 30_000 };
    const chunks = sizes.map((size, i) => Buffer.alloc(size, `${i}`));
    const sent = Buffer.concat(chunks).toString();
    const text = readJsonText(unread, limits);
    for (const chunk of chunks) incoming.emit('data', chunk);
    incoming.emit('end');
    expect(await text).toBe(sent);
    expect(Buffer.concat(chunks).toString()).toBe(sent);
  },
);

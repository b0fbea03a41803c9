import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { endUnread } from '../../api/unread.ts';
import { EVENTS, message, startApi } from './fixture.ts';

const CARTS = '/v1/collections/carts/entries';
const LIMIT_MS = 400;

/** An API whose answers take more than the buffers of a socket hold, and that gives up after 400 ms without progress. */
async function startLarge() {
  const api = await startApi();
  endUnread(api.server, LIMIT_MS);
  api.holdfast.entries.set('carts/a', { version: 2, value: JSON.stringify('x'.repeat(16 * 1024 * 1024)) });
  return api;
}

const open = (port: number) => connect({ port, host: '127.0.0.1' }).on('error', () => {});

const connections = ({ server }: Awaited<ReturnType<typeof startApi>>) =>
  new Promise((resolve) => server.getConnections((_, count) => resolve(count)));

test('an answer that nobody reads ends its connection', async () => {
  const api = await startLarge();
  const socket = open(api.port);
  socket.pause().write(message('GET', `${CARTS}/a`));
  await vi.waitFor(async () => expect(await connections(api)).toBe(1));
  await vi.waitFor(async () => expect(await connections(api)).toBe(0), 3_000);
  socket.destroy();
});

test('so do answers to pipelined requests', async () => {
  const api = await startLarge();
  const socket = open(api.port);
  socket.pause();
  const get = message('GET', `${CARTS}/a`).replace('Connection: close\r\n', '');
  socket.write(get.repeat(3));
  await vi.waitFor(async () => expect(await connections(api)).toBe(1));
  await vi.waitFor(async () => expect(await connections(api)).toBe(0), 3_000);
  socket.destroy();
});

test('a slow reader that makes progress has all the time it takes', async () => {
  const { port } = await startLarge();
  const socket = open(port);
  let bytes = 0;
  socket.on('data', (data) => {
    bytes += data.length;
    socket.pause();
    setTimeout(() => socket.resume(), 5);
  });
  const began = performance.now();
  socket.write(message('GET', `${CARTS}/a`));
  await once(socket, 'close');
  expect(bytes).toBeGreaterThan(16 * 1024 * 1024);
  expect(performance.now() - began).toBeGreaterThan(LIMIT_MS);
});

test('an idle connection, a handler that takes its time, and events that are read go on', async () => {
  const api = await startLarge();
  const socket = open(api.port);
  let text = '';
  socket.on('data', (data) => {
    text += data;
  });
  const get = message('GET', `${CARTS}/b`).replace('Connection: close\r\n', '');
  socket.write(get);
  await vi.waitFor(() => expect(text).toContain('404'));
  await sleep(3 * LIMIT_MS);
  api.holdfast.before = () => sleep(3 * LIMIT_MS);
  text = '';
  socket.write(get);
  await vi.waitFor(() => expect(text).toContain('404'), 5_000);
  text = '';
  socket.write(message('GET', EVENTS));
  await vi.waitFor(() => expect(text.split('event: summary').length).toBeGreaterThan(3), 8_000);
  expect(socket.destroyed).toBe(false);
  socket.destroy();
});

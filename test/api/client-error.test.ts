import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test, vi } from 'vitest';
import { startApi } from './fixture.ts';

test('a client that keeps its side open after it was refused is let go, with the answer', async () => {
  const { port, server } = await startApi();
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => {});
  let answer = '';
  socket.on('data', (data) => {
    answer += data;
  });
  socket.write('hello\r\n\r\n');
  await once(socket, 'end');
  expect(answer).toMatch(/^HTTP\/1.1 400 .*\}$/s);
  const connections = () => new Promise((resolve) => server.getConnections((_, count) => resolve(count)));
  await vi.waitFor(async () => expect(await connections()).toBe(0), 4_000);
  socket.destroy();
});

import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { FAKE_SUMMARY } from '../support/fake-operations.ts';
import { EVENTS, problemOf, startApi } from './fixture.ts';

/** What a stream sends, read piece by piece. */
async function open(port: number) {
  const aborting = new AbortController();
  const response = await fetch(`http://127.0.0.1:${port}${EVENTS}`, { signal: aborting.signal });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  return {
    response,
    read: async () => (await reader?.read())?.value,
    close: () => aborting.abort(),
  };
}

test('the summary comes as an event, again and again, until the process stops', async () => {
  const { port, stopping } = await startApi();
  const { response, read } = await open(port);
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f]{12}-\w+$/);
  let text = '';
  while (text.split('event: summary').length < 3) text += await read();
  const [, data] = /^data: (.*)$/m.exec(text) ?? [];
  expect(JSON.parse(data ?? '')).toEqual(JSON.parse(JSON.stringify(FAKE_SUMMARY)));
  stopping.abort();
  while ((await read()) !== undefined);
});

test('streams are bounded, and one that its client closed makes room', async () => {
  const { port } = await startApi();
  const streams = await Promise.all(Array.from({ length: 50 }, () => open(port)));
  const refused = await fetch(`http://127.0.0.1:${port}${EVENTS}`);
  expect([refused.status, (await problemOf(refused)).code]).toEqual([503, 'overloaded']);
  streams[0]?.close();
  await expect
    .poll(async () => {
      const { response, close } = await open(port);
      if (response.status !== 200) close();
      return response.status;
    })
    .toBe(200);
});

test('HEAD ends, and takes no place', async () => {
  const { port, request } = await startApi();
  for (let i = 0; i < 60; i += 1) {
    const response = await request('HEAD', EVENTS);
    expect([response.status, await response.text()]).toEqual([200, '']);
  }
  expect((await open(port)).response.status).toBe(200);
});

test('streams that wait behind another on one connection make room when it ends', async () => {
  const { port } = await startApi();
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  socket.write(`GET ${EVENTS} HTTP/1.1\r\nHost: h\r\n\r\n`.repeat(50));
  const status = async () => {
    const { response, close } = await open(port);
    close();
    return response.status;
  };
  await expect.poll(status).toBe(503);
  socket.destroy();
  await expect.poll(status, { timeout: 4_000 }).toBe(200);
  // Each looks at its connection once a second.
  await sleep(1_500);
  const rest = await Promise.all(Array.from({ length: 50 }, () => open(port)));
  expect(rest.map(({ response }) => response.status)).toEqual(Array(50).fill(200));
});

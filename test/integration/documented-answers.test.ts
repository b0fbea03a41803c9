import { Agent } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { complaints } from '../support/answer-complaints.ts';
import { httpCall } from '../support/http-call.ts';
import { type FuzzRequest, fuzzRequest } from '../support/request-arbitrary.ts';
import { type System, startSystem } from '../support/system.ts';

/** Of the requests that chance makes, few are accepted writes: in some runs none. */
const ACCEPTED: FuzzRequest = {
  operationId: 'putEntry',
  method: 'PUT',
  target: '/v1/collections/carts/entries/a',
  headers: { 'content-type': 'application/json', prefer: 'durability=cached' },
  body: Buffer.from('1'),
  valid: true,
  wrongBody: false,
};

const agent = new Agent({ keepAlive: true, maxSockets: 4 });
let system: System;

beforeAll(async () => {
  system = await startSystem();
});

afterAll(async () => {
  agent.destroy();
  await system?.stop();
});

test('whatever is sent to the real system, its answer is what the document says', {
  timeout: 300_000,
}, async () => {
  const statuses = new Set<number>();
  await fc.assert(
    fc.asyncProperty(fuzzRequest, async (request) => {
      const answer = await httpCall(system.url, { agent, ...request });
      statuses.add(answer.status);
      expect(complaints(request, answer)).toEqual([]);
      // Else nothing would be written behind from then on.
      if (request.target.startsWith('/ops/v1/drain')) {
        await fetch(`${system.url}/ops/v1/drain`, { method: 'DELETE' });
      }
    }),
    // Most writes wait for the queue.
    { numRuns: 400, examples: [[ACCEPTED]] },
  );
  for (const status of [200, 202, 400, 404, 405]) expect(statuses).toContain(status);
});

test('the page and the document are served from what the build made', async () => {
  const page = await (await fetch(`${system.url}/docs`)).text();
  const files = [...page.matchAll(/"(\/docs\/[^"]+)"/g)].map(([, file]) => file);
  expect(files).toHaveLength(3);
  for (const file of [...files, '/openapi.json']) {
    const response = await fetch(`${system.url}${file}`);
    expect(response.status, file).toBe(200);
    await response.body?.cancel();
  }
});

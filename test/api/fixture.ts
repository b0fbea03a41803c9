import { once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { pino } from 'pino';
import { afterEach, expect } from 'vitest';
import { ROUTES } from '../../api/all-routes.ts';
import type { ApiDeps } from '../../api/api-env.ts';
import { createApiServer } from '../../api/server.ts';
import type { Collections } from '../../config/collections.ts';
import { rateLimitsOf } from '../../config/keys.ts';
import { createRateLimiter } from '../../service/rate-limiter.ts';
import { createApiMetrics } from '../../telemetry/api-metrics.ts';
import { createFakeHoldfast, type FakeHoldfast } from '../support/fake-holdfast.ts';
import { documentProblems } from '../support/openapi.ts';

export interface ApiFixture {
  readonly holdfast: FakeHoldfast;
  readonly server: Server;
  readonly port: number;
  readonly stopping: AbortController;
  /** The lines logged so far, parsed. */
  readonly logged: Record<string, unknown>[];
  /** Every answer is checked against the OpenAPI document. */
  request(method: string, path: string, init?: RequestInit): Promise<Response>;
  /** Sends bytes as they are on a connection of their own; resolves with all that came back once the server closed it. */
  raw(...parts: (string | Buffer)[]): Promise<string>;
}

const open = new Set<Server>();

afterEach(() => {
  for (const server of open) {
    server.closeAllConnections();
    server.close();
  }
  open.clear();
});

type ApiFixtureOptions = Partial<
  ApiDeps['settings'] & Pick<ApiDeps, 'keys'> & { readonly collections: Collections }
>;

/** The one route whose answer has no end; the document has none such. test/api/events.test.ts is about it. */
export const EVENTS = '/ops/v1/events';

/** Those whose answer can be read to its end. */
export const ENDING_ROUTES = ROUTES.filter(({ path }) => path !== EVENTS);

/** An API on a free port, over a fake Holdfast. Ends with the test. */
export async function startApi(
  limits: Partial<ApiDeps['limits']> = {},
  { keys = [], collections, ...settings }: ApiFixtureOptions = {},
): Promise<ApiFixture> {
  const holdfast = createFakeHoldfast({
    collections,
    rateLimits: createRateLimiter(rateLimitsOf(keys, { RATE_PER_SECOND: 0 })),
  });
  const stopping = new AbortController();
  const logged: Record<string, unknown>[] = [];
  const log = pino({ level: 'debug' }, { write: (line) => void logged.push(JSON.parse(line)) });
  const metrics = createApiMetrics({ process: false, partitions: 2 });
  metrics.shareFrom(() => holdfast.figures());
  const server = createApiServer({
    holdfast,
    keys,
    settings: { ALLOWED_HOSTS: [], CORS_ORIGINS: [], TEMPORAL_UI_URL: 'http://127.0.0.1:8233', ...settings },
    metrics,
    log,
    stopping: stopping.signal,
    limits: {
      MAX_VALUE_BYTES: 1_024,
      MAX_BATCH_OPERATIONS: 100,
      MAX_BATCH_BYTES: 64 * 1_024,
      MAX_READ_KEYS: 100,
      MAX_REQUESTS_IN_FLIGHT: 100,
      MAX_BODY_BYTES_IN_FLIGHT: 1_024 * 1_024,
      REQUEST_DEADLINE_MS: 5_000,
      ...limits,
    },
  });
  open.add(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    holdfast,
    server,
    port,
    stopping,
    logged,
    async request(method, path, init) {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { ...init, method });
      if (!path.startsWith(EVENTS)) await expectDocumented(method, path, response.clone());
      return response;
    },
    async raw(...parts) {
      const socket = connect(port, '127.0.0.1');
      const received: Buffer[] = [];
      socket.on('data', (chunk) => received.push(chunk));
      socket.on('error', () => {});
      for (const part of parts) socket.write(part);
      await once(socket, 'close');
      return Buffer.concat(received).toString('latin1');
    },
  };
}

/** A raw request that asks the server to close the connection after its answer. */
export function message(method: string, target: string, headers: string[] = [], body = ''): string {
  return [`${method} ${target} HTTP/1.1`, 'Host: h', 'Connection: close', ...headers, '', body].join('\r\n');
}

/** What a body in chunks that never ends is answered, until the connection is closed. */
export async function answerToEndlessBody(port: number, target: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (data) => {
    answer += data;
  });
  socket.on('error', () => {});
  socket.write(message('PUT', target, ['Transfer-Encoding: chunked']).replace('Connection: close\r\n', ''));
  const feed = setInterval(() => socket.write(`32\r\n${' '.repeat(50)}\r\n`), 1);
  await once(socket, 'close');
  clearInterval(feed);
  return answer;
}

export async function problemOf(response: Response): Promise<Record<string, unknown>> {
  return (await response.json()) as Record<string, unknown>;
}

async function expectDocumented(method: string, path: string, response: Response): Promise<void> {
  const { status, headers } = response;
  const text = await response.text();
  const answer = { status, text, header: (name: string) => headers.get(name) ?? undefined };
  expect(documentProblems(method, path, answer), `${method} ${path} → ${status}`).toEqual([]);
}

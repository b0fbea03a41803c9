import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { until } from '../../dev/until.ts';
import { mergePatch } from '../../domain/merge-patch.ts';
import { call, entryUrl } from '../support/system.ts';
import { type ProxiedSystem, startSystemBehindProxies } from '../support/system-behind-proxies.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';

/** What JSON.parse would round or spell differently, and what encodings get wrong. */
const NUMBERS =
  '{"big": 9007199254740993, "long": -123456789012345678901234567890.10, "list": [18446744073709551615, 0.10, 1e2, -0]}';
const TEXTS =
  '{"😀": "\\ud83d\\ude00 é e\\u0301 \\u2028 \\uffff \\u0001 \\/ \\\\ \\" 𝒳 عربى", "": null, "__proto__": [ ]}';
const BASE = `{"gone": 1, "kept": ${NUMBERS}}`;
const PATCH = `{"gone": null, "new": ${TEXTS}}`;
const COUNT = '9007199254740991';

/** Entries of a collection of documents and of one of counters, and the text each was given. */
const VALUES: Readonly<Record<string, string>> = {
  put: `[${NUMBERS},${TEXTS}]`,
  'patched/😀': mergePatch(BASE, PATCH),
  'in a batch': ` ${TEXTS.replace('}', `, "n": ${NUMBERS}}`)}`.trim(),
};

let system: ProxiedSystem;
let redis: Redis;
/** Between the worker and PostgreSQL: while it refuses, batches stay in Temporal. */
let worker: TcpProxy;

beforeAll(async () => {
  const env = { CLOCK_TOLERANCE_MS: '100', PARTITIONS: '2' };
  system = await startSystemBehindProxies({ apis: 2, workers: 0, env });
  const url = new URL(system.databaseUrl);
  worker = await startTcpProxy({ port: Number(url.port), host: url.hostname });
  url.hostname = worker.host;
  url.port = String(worker.port);
  await system.startWorker({ DATABASE_URL: url.href });
  redis = new Redis(system.redis.url);
});
afterAll(async () => {
  redis?.disconnect();
  await worker?.close();
  await system?.stop();
});

async function write(documents: string, prefer?: string): Promise<void> {
  const headers: Record<string, string> = prefer === undefined ? {} : { prefer };
  const [put, patched, batched] = Object.keys(VALUES) as [string, string, string];
  const path = (key: string) => entryUrl(system.url, documents, key);
  const patchType = { ...headers, 'content-type': 'application/merge-patch+json' };
  const operations = [
    `{"op":"put","collection":"${documents}","key":"${batched}","value":${VALUES[batched]}}`,
    ...(documents === 'carts' ? [`{"op":"put","collection":"page-views","key":"n","value":${COUNT}}`] : []),
  ];
  const answers = [
    await call('PUT', path(put), { body: VALUES[put], headers }),
    await call('PUT', path(patched), { body: BASE, headers }),
    await call('PATCH', path(patched), { body: PATCH, headers: patchType }),
    await call('POST', `${system.url}/v1/batch`, {
      body: `{"operations":[${operations.join(',')}]}`,
      headers,
    }),
  ];
  expect(answers.map(({ status, text }) => (status < 300 ? '' : text))).toEqual(['', '', '', '']);
  expect(answers[3]?.text).not.toContain('"code"');
}

/** Every way to read the entries, on both processes. `evict` runs before each: each is a miss then. */
async function everyRead(
  documents: string,
  evict: () => Promise<unknown>,
): Promise<Record<string, Set<string>>> {
  const seen: Record<string, Set<string>> = {};
  const saw = (key: string, text: string) => {
    seen[key] ??= new Set();
    seen[key].add(text);
  };
  for (const { url } of system.apis) {
    await evict();
    for (const key of Object.keys(VALUES)) saw(key, (await call('GET', entryUrl(url, documents, key))).text);
    if (documents === 'carts') saw('n', (await call('GET', entryUrl(url, 'page-views', 'n'))).text);
    await evict();
    const keys = Object.keys(VALUES);
    const { text } = await call('POST', `${url}/v1/collections/${documents}/read`, { body: { keys } });
    // By hand: JSON.parse would round what this is about.
    for (const key of keys) {
      const start = text.indexOf(`{"key":${JSON.stringify(key)},"value":`);
      const from = text.indexOf('"value":', start) + '"value":'.length;
      saw(key, start === -1 ? text : text.slice(from, text.indexOf(',"version":', from)));
    }
  }
  return seen;
}

const once = (values: Readonly<Record<string, string>>, documents: string) =>
  Object.fromEntries(
    Object.entries({ ...values, ...(documents === 'carts' ? { n: COUNT } : {}) }).map(([key, text]) => [
      key,
      new Set([text]),
    ]),
  );

/** The values as PostgreSQL has them: the same, in the spelling of `jsonb`. */
async function rows(documents: string): Promise<Record<string, string>> {
  const { rows: found } = await system.db.query<{ key: string; value: string }>(
    'SELECT key, value::text AS value FROM documents WHERE collection = $1',
    [documents],
  );
  return Object.fromEntries(found.map(({ key, value }) => [key, value]));
}

/** What they should be. */
async function spelledByJsonb(): Promise<Record<string, string>> {
  const stored: Record<string, string> = {};
  for (const [key, value] of Object.entries(VALUES)) {
    const { rows: found } = await system.db.query<{ text: string }>('SELECT $1::jsonb::text AS text', [
      value,
    ]);
    stored[key] = found[0]?.text ?? '';
  }
  return stored;
}

const nothing = async () => {};
const flush = () => redis.flushall();
const evictCopies = async () => {
  const copies = (await redis.keys('*')).filter((key) => /^hf:\{p\d+\}:e:/.test(key));
  if (copies.length > 0) await redis.del(...copies);
};

test('orders: what was written comes back digit for digit and character for character, from the cache and from PostgreSQL', async () => {
  await write('orders');
  expect(await everyRead('orders', nothing)).toEqual(once(VALUES, 'orders'));
  const stored = await spelledByJsonb();
  for (const part of [
    '9007199254740993',
    '-123456789012345678901234567890.10',
    '18446744073709551615',
    '😀 é e\u0301',
  ]) {
    expect(stored.put).toContain(part);
  }
  expect(await rows('orders')).toEqual(stored);
  expect(await everyRead('orders', flush)).toEqual(once(stored, 'orders'));
});

test('carts: the same from the cache, from what is pending after Redis lost everything, and from PostgreSQL', async () => {
  await call('PUT', entryUrl(system.url, 'carts', 'warm-up'), {
    body: 1,
    headers: { prefer: 'durability=persisted' },
  });
  worker.refuse(true);
  system.proxies.postgres.refuse(true);
  await write('carts', 'durability=queued');
  expect(await everyRead('carts', nothing)).toEqual(once(VALUES, 'carts'));
  // Pending, without any database; then after the loss of Redis, which takes the fence in PostgreSQL to recover from.
  expect(await everyRead('carts', evictCopies)).toEqual(once(VALUES, 'carts'));
  system.proxies.postgres.refuse(false);
  expect(await everyRead('carts', flush)).toEqual(once(VALUES, 'carts'));
  const miss = await flush().then(() => call('GET', entryUrl(system.url, 'carts', 'put')));
  expect(miss.headers.get('cache-status')).toContain('detail=merged-pending');
  expect(await rows('carts')).not.toHaveProperty('put');

  worker.refuse(false);
  // The entry that is patched has a row of its former value first, of a batch before.
  const stored = await spelledByJsonb();
  await vi.waitFor(async () => expect(await rows('carts')).toMatchObject(stored), 30_000);
  // Until its release, a batch still counts as pending.
  await until(
    async () => {
      await flush();
      const { headers } = await call('GET', entryUrl(system.url, 'carts', 'put'));
      return headers.get('cache-status') === 'Holdfast; fwd=uri-miss; stored';
    },
    { what: 'a read from the row alone', timeoutMs: 30_000 },
  );
  expect(await everyRead('carts', flush)).toEqual(once(stored, 'carts'));
});

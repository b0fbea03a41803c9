import { request as httpRequest, type ServerResponse } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { expect, test, vi } from 'vitest';
import { startApi } from './fixture.ts';

/** Everything a page would load by itself. */
function references(html: string): string[] {
  return [...html.matchAll(/(?:src|href|action|data|content)="([^"]*)"/g)].map(([, url]) => url as string);
}

test('the page loads nothing but files of its own, and says so to the browser', async () => {
  const { request } = await startApi();
  const response = await request('GET', '/docs');
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
  const policy = response.headers.get('content-security-policy') as string;
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("script-src 'self';");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toMatch(/unsafe|https?:|\*/);
  const html = await response.text();
  expect(html).not.toMatch(/\/\/|<style|style=|<script(?![^>]*src=)[^>]*>|\son\w+=/);
  const loaded = references(html).filter((url) => url.startsWith('/docs/'));
  expect(loaded).toHaveLength(3);
  for (const url of loaded) expect((await request('GET', url)).status, url).toBe(200);
});

test.each([
  ['.js', 'text/javascript; charset=utf-8'],
  ['.css', 'text/css; charset=utf-8'],
])('a file that ends in %s is %s, and kept for ever under its name', async (end, type) => {
  const { request } = await startApi();
  const html = await (await request('GET', '/docs')).text();
  for (const url of references(html).filter((one) => one.startsWith('/docs/') && one.endsWith(end))) {
    const response = await request('GET', url);
    expect(response.headers.get('content-type')).toBe(type);
    expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect((await response.text()).length).toBeGreaterThan(100);
  }
});

test.each([
  ['gzip, br', 'gzip'],
  ['br;q=1, gzip;q=0.5', 'gzip'],
  ['gzip;q=0', undefined],
  ['identity', undefined],
])('a client that sends Accept-Encoding: %s gets %s', async (accepted, encoding) => {
  const { request, port } = await startApi();
  const html = await (await request('GET', '/docs')).text();
  const path = references(html).find((url) => url.endsWith('.css')) as string;
  const plain = await (await request('GET', path, { headers: { 'accept-encoding': 'identity' } })).text();
  const answer = await new Promise<{ headers: NodeJS.Dict<string | string[]>; bytes: Buffer }>((resolve) => {
    const headers = { 'accept-encoding': accepted };
    httpRequest({ port, host: '127.0.0.1', path, headers }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => resolve({ headers: incoming.headers, bytes: Buffer.concat(chunks) }));
    }).end();
  });
  expect(answer.headers['content-encoding']).toBe(encoding);
  expect(answer.headers.vary).toBe('accept-encoding');
  const text = encoding === 'gzip' ? gunzipSync(answer.bytes) : answer.bytes;
  expect(text.toString('utf8')).toBe(plain);
});

test.each(['gzip', 'identity'])('all answers with a file share its bytes (%s)', async (encoding) => {
  const { request, server } = await startApi();
  const html = await (await request('GET', '/docs')).text();
  const path = references(html).find((url) => url.endsWith('.css')) as string;
  const sent: Uint8Array[] = [];
  server.prependListener('request', (_, response: ServerResponse) => {
    vi.spyOn(response, 'end').mockImplementationOnce((bytes: Uint8Array) => {
      sent.push(bytes);
      return response.end(bytes);
    });
  });
  const headers = { 'accept-encoding': encoding };
  for (let i = 0; i < 2; i += 1) await (await request('GET', path, { headers })).arrayBuffer();
  expect(sent.map((bytes) => bytes.length > 100)).toEqual([true, true]);
  expect(sent[0]?.buffer).toBe(sent[1]?.buffer);
});

test.each([
  'x.js',
  'swagger-ui-bundle.js',
  'package.json',
  '..%2f..%2fpackage.json',
  '%2e%2e%2fpackage.json',
  '__proto__',
])('/docs/%s is not found', async (file) => {
  const { request } = await startApi();
  expect((await request('GET', `/docs/${file}`)).status).toBe(404);
});

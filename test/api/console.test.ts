import { expect, test } from 'vitest';
import { startApi } from './fixture.ts';

/** The files that the page names. */
const filesOf = (html: string) =>
  [...html.matchAll(/(?:src|href)="(\/[^"]*)"/g)].map(([, url]) => url as string);

test('the page loads nothing but files of its own, runs nothing that is written in it, and is asked for anew', async () => {
  const { request } = await startApi();
  const response = await request('GET', '/console');
  expect(response.status).toBe(200);
  expect(response.headers.get('cache-control')).toBe('no-cache');
  const policy = response.headers.get('content-security-policy') as string;
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("script-src 'self';");
  expect(policy).not.toMatch(/unsafe|https?:|\*/);
  const html = await response.text();
  expect(html).not.toMatch(/<style|style=|<script(?![^>]*src=)[^>]*>|\son\w+=/);
  expect(filesOf(html).map((file) => file.replace(/[0-9a-f]{16}/, '…'))).toEqual([
    '/console/console.….css',
    '/console/console.….js',
  ]);
});

test('its files have the digest of their content in their names, and are kept for ever', async () => {
  const { request } = await startApi();
  for (const file of filesOf(await (await request('GET', '/console')).text())) {
    const response = await request('GET', file);
    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(response.headers.get('content-type')).toMatch(
      file.endsWith('.js') ? /^text\/javascript/ : /^text\/css/,
    );
    expect(await response.text()).not.toMatch(/\beval\(|new Function|sourceMappingURL/);
  }
});

test('a slash at the end leads to the page', async () => {
  const { request } = await startApi();
  const response = await request('GET', '/console/', { redirect: 'manual' });
  expect([response.status, response.headers.get('location')]).toEqual([308, '/console']);
});

test.each(['main.js', 'console.js', '..%2f..%2fpackage.json', '__proto__'])(
  '/console/%s is not found',
  async (file) => {
    const { request } = await startApi();
    expect((await request('GET', `/console/${file}`)).status).toBe(404);
  },
);

import { expect, test } from 'vitest';
import { ROUTES } from '../../api/all-routes.ts';
import { ENDING_ROUTES, message, startApi } from './fixture.ts';

const paths = [...new Set(ROUTES.map(({ path }) => path))];
const targetOf = (path: string) =>
  path.replace(':collection', 'carts').replace(':key', 'ada').replaceAll(/:\w+/g, '1');

test.each(paths)('%s: each method that it does not know is 405, with Allow', async (path) => {
  const known = ROUTES.filter((route) => route.path === path).map(({ method }) => method.toUpperCase());
  const allowed = known.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).sort();
  const { request, raw, holdfast } = await startApi();
  for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'POST', 'OPTIONS', 'QUERY', 'PURGE']) {
    if (allowed.includes(method)) continue;
    // `fetch` knows only some of them.
    const answer = await raw(message(method, targetOf(path)));
    expect(answer.slice(9, 12), method).toBe('405');
    expect(/^allow: (.*)$/im.exec(answer)?.[1]?.split(', ').sort()).toEqual(allowed);
    if (method !== 'HEAD') expect(answer).toContain('"code":"method-not-allowed"');
  }
  expect((await request('OPTIONS', targetOf(path))).status).toBe(405);
  expect(holdfast.calls).toEqual([]);
});

const headOf = (answer: string) => answer.slice(0, answer.indexOf('\r\n\r\n'));
const idIn = (answer: string) => /^x-request-id: (.*)$/im.exec(headOf(answer))?.[1];

test.each(ENDING_ROUTES.map(({ method, path }) => [method.toUpperCase(), path] as const))(
  'X-Request-Id is on the answer to %s %s, in its problem and in its log lines',
  async (method, path) => {
    const { raw, logged, holdfast } = await startApi();
    holdfast.before = () => {
      throw new TypeError('a mistake');
    };
    holdfast.operations.listDeadLetters = () => Promise.reject(new TypeError('a mistake'));
    for (const [headers, id] of [
      [['X-Request-Id: mine-1'], /^mine-1$/],
      [['X-Request-Id: two words'], /^[0-9a-f]{12}-\w+$/],
      [[], /^[0-9a-f]{12}-\w+$/],
    ] as const) {
      logged.length = 0;
      const answer = await raw(message(method, targetOf(path), [...headers]));
      expect(idIn(answer)).toMatch(id);
      if (/^HTTP\/1.1 [45]/.test(answer)) expect(answer).toContain(`"requestId":"${idIn(answer)}"`);
      if (/^HTTP\/1.1 500/.test(answer)) expect(logged).not.toEqual([]);
      for (const line of logged) expect(line.requestId).toBe(idIn(answer));
    }
  },
);

test('X-Request-Id is on the answer to what is no request, too', async () => {
  const { raw } = await startApi();
  for (const text of [
    'nonsense\r\n\r\n',
    message('GET', '\\'),
    message('GET', '/livez', [`X: ${'x'.repeat(17_000)}`]),
  ]) {
    const answer = await raw(text);
    expect(idIn(answer)).toMatch(/^[0-9a-f]{12}-\w+$/);
    expect(answer).toContain(`"requestId":"${idIn(answer)}"`);
  }
});

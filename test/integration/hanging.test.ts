import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { type ApiProcess, call, entryUrl } from '../support/system.ts';
import { type ProxiedSystem, startSystemBehindProxies } from '../support/system-behind-proxies.ts';

const DEADLINE_MS = 3_000;
/** A process that is cut off answers a second late and logs it; what is left is for a machine that is busy. */
const LATE_MS = 2_000;

let system: ProxiedSystem;
let api: ApiProcess;
beforeAll(async () => {
  system = await startSystemBehindProxies({
    apis: 1,
    env: { REQUEST_DEADLINE_MS: String(DEADLINE_MS), CLOCK_TOLERANCE_MS: '100' },
  });
  [api] = system.apis as [ApiProcess];
  await well();
});
afterAll(() => system.stop());

async function well(): Promise<void> {
  for (const collection of ['carts', 'orders']) {
    await until(
      async () => {
        const url = entryUrl(api.url, collection, 'known');
        const put = await call('PUT', url, { body: 1, headers: { prefer: 'durability=persisted' } });
        return put.json.state === 'persisted' && put.json.version % 2 === 0;
      },
      { what: 'writes as usual', timeoutMs: 60_000 },
    );
  }
}

describe.each(['redis', 'postgres', 'temporal'] as const)(
  'while %s takes what is sent and never answers',
  (name) => {
    test('each request has an answer in time, also the later ones', async () => {
      system.proxies[name].hold();
      try {
        for (let round = 0; round < 3; round++) {
          const calls = ['known', `unknown-${name}-${round}`].flatMap((key) =>
            ['carts', 'orders'].flatMap((collection) => {
              const url = entryUrl(api.url, collection, key);
              return [
                ['GET', url],
                ['GET', `${url}/explanation`],
                ['PUT', url, 2],
                ['DELETE', url],
                ['POST', `${entryUrl(api.url, 'page-views', key)}/increment`],
              ] as const;
            }),
          );
          const began = performance.now();
          const answers = await Promise.all([
            ...calls.map(([method, url, body]) => call(method, url, body === undefined ? {} : { body })),
            call('GET', `${api.url}/readyz`),
          ]);
          expect(performance.now() - began).toBeLessThan(DEADLINE_MS + LATE_MS);
          for (const { status, json, headers, text } of answers) {
            expect([200, 201, 202, 404, 503, 504], text).toContain(status);
            if (status === 503 && json.code !== undefined) expect(headers.get('retry-after')).not.toBeNull();
          }
        }
      } finally {
        system.proxies[name].forward();
      }
      await well();
      expect(api.output()).not.toContain('it outlived its deadline');
    });
  },
);

import { until } from '../../../dev/until.ts';
import { INVALIDATED_WITHIN_MS } from '../entry-history.ts';
import type { FaultContext, Scenario } from '../scenario.ts';

const CUT_OFF = 1;
const OTHER = 0;
const QUIET = ['carts', 'orders'].flatMap((collection) => [1, 2, 3].map((n) => ({ collection, n })));

/** Entries that the workload does not touch: a copy of theirs stays where it is, unless somebody drops it. */
function quietEntries({ bed, prefix, complain }: FaultContext) {
  const call = async (api: number, { collection, n }: (typeof QUIET)[number], value?: string) => {
    const answer = await fetch(
      `${bed.apis[api]?.url}/v1/collections/${collection}/entries/${prefix}quiet${n}`,
      value === undefined
        ? {}
        : {
            method: 'PUT',
            headers: { 'content-type': 'application/json', prefer: 'durability=persisted' },
            body: JSON.stringify(value),
          },
    );
    await answer.arrayBuffer();
    return answer.ok ? Number(answer.headers.get('etag')?.slice(1, -1)) : undefined;
  };
  return {
    write: (api: number) => Promise.all(QUIET.map((entry) => call(api, entry, `by API ${api}`))),
    /** The other process reads what was written around Redis before long, and what it had cached no more. */
    async seen(versions: readonly (number | undefined)[]): Promise<void> {
      const around = versions.filter((version) => Number(version) % 2 === 1);
      if (around.length === 0) complain('nothing was written around Redis');
      const reads = QUIET.map(async (entry, i) => {
        const version = versions[i];
        if (version === undefined) return;
        const what = `API ${OTHER} to read what was written to ${entry.collection} around Redis`;
        await until(async () => (await call(OTHER, entry)) === version, {
          what,
          timeoutMs: INVALIDATED_WITHIN_MS,
        });
      });
      await Promise.all(reads).catch((error: Error) => complain(error.message));
    },
  };
}

export const cutOffScenarios: readonly Scenario[] = [
  {
    name: 'api-cut-off',
    promises:
      'One API process is cut off from a healthy Redis and comes back: it writes around Redis; the others miss that for seconds at most, and nothing else.',
    bed: { redis: 'always', proxied: ['second-api-redis'] },
    minimumDuring: 20,
    // Without Redis each call looks into every slot: fewer clients, so that these are served.
    workload: { clients: 12 },
    async fault(context) {
      const { bed, random, pause, begin, end, redisAway } = context;
      const quiet = quietEntries(context);
      await pause(300, 1_000);
      await quiet.write(OTHER);
      await redisAway(async () => {
        if (random.chance(0.5)) bed.secondApiRedisProxy?.refuse(true);
        else bed.secondApiRedisProxy?.hold();
        begin();
        await pause(1_000, 1_500);
        await quiet.seen(await quiet.write(CUT_OFF));
        await pause(500, 2_500);
        bed.secondApiRedisProxy?.refuse(false);
        bed.secondApiRedisProxy?.forward();
        end();
      }, CUT_OFF);
    },
  },
];

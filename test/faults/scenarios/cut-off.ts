import type { Scenario } from '../scenario.ts';

const CUT_OFF = 1;

export const cutOffScenarios: readonly Scenario[] = [
  {
    name: 'api-cut-off',
    promises:
      'One API process is cut off from a healthy Redis and comes back: it writes around Redis; the others miss that for seconds at most, and nothing else.',
    bed: { redis: 'always', proxied: ['second-api-redis'] },
    minimumDuring: 20,
    // Without Redis each call looks into every slot: fewer clients, so that these are served.
    workload: { clients: 12 },
    async fault({ bed, random, pause, begin, end, redisAway, calls, complain }) {
      await pause(300, 1_000);
      const before = calls.length;
      await redisAway(async () => {
        if (random.chance(0.5)) bed.secondApiRedisProxy?.refuse(true);
        else bed.secondApiRedisProxy?.hold();
        begin();
        await pause(3_000, 5_000);
        bed.secondApiRedisProxy?.refuse(false);
        bed.secondApiRedisProxy?.forward();
        end();
      }, CUT_OFF);
      const around = calls
        .slice(before)
        .filter(
          ({ api, outcome, version }) => api === CUT_OFF && outcome === 'ok' && Number(version) % 2 === 1,
        );
      if (around.length === 0) complain('nothing was written around Redis');
    },
  },
];

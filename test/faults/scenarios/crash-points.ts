import { CRASH_POINTS, type CrashPoint } from '../../../config/crash-points.ts';
import { until } from '../../../dev/until.ts';
import { partitionKeys } from '../../../storage/redis/keys.ts';
import { accessBatches } from '../batches.ts';
import { type Bed, type BedOptions, PARTITIONS } from '../bed.ts';
import { arm, type Crash, PATIENCE_MS } from '../crash.ts';
import { loseReleases } from '../lost-releases.ts';
import type { FaultContext, Scenario } from '../scenario.ts';

/** Brings a process to its crash point, and the system back. */
type Trigger = (context: FaultContext, crash: Crash) => Promise<void>;

interface Place {
  readonly promises: string;
  readonly role: 'api' | 'worker';
  /** It dies at one of the first so many passes: the seed says which. */
  readonly passes: number;
  readonly trigger: Trigger;
  readonly bed?: BedOptions;
  /** Default: 20. */
  readonly minimumDuring?: number;
}

const ALWAYS: BedOptions = { redis: 'always' };
const PROXIED: BedOptions = { redis: 'always', proxied: ['redis'] };
const FORGETFUL: BedOptions = { redis: 'none' };

/** How long the other process may take for a recovery whose first attempt died. */
const RECOVERED_MS = 20_000;

const load: Trigger = async (_context, crash) => {
  await crash.happens();
  await crash.restart();
};

const withoutTemporal: Trigger = async ({ bed }, crash) => {
  await bed.temporal.kill();
  try {
    await crash.happens();
  } finally {
    await bed.temporal.start();
  }
  await crash.restart();
};

/** The connections break and Redis stays as it is: what it holds of entries that were written around it is out of date. */
const cutFromRedis: Trigger = async ({ bed, redisAway }, crash) => {
  await redisAway(async () => {
    bed.redisProxy?.refuse(true);
    try {
      await crash.happens();
    } finally {
      bed.redisProxy?.refuse(false);
    }
    await crash.restart();
  });
};

/** Entries are written around Redis for a while; then it is back, and the worker has to tell it. */
const afterWritesAroundRedis: Trigger = async ({ bed, redisAway, pause }, crash) => {
  await redisAway(async () => {
    bed.redisProxy?.refuse(true);
    await pause(1_500, 3_000);
    bed.redisProxy?.refuse(false);
  });
  await crash.happens();
  await crash.restart();
};

/** Which process recovers a partition is a race: Redis forgets until the armed one has won often enough. */
const redisForgets: Trigger = async (context, crash) => {
  const { bed, losingMemory, pause, complain } = context;
  const recovering = { what: 'the partitions to be recovered', everyMs: 50 };
  const crashed = crash.happens();
  while (!crash.over()) {
    await losingMemory(() => bed.redisClient.flushall());
    const either = async () => crash.over() || (await recovered(bed));
    await until(either, { ...recovering, timeoutMs: 2 * PATIENCE_MS });
    await pause(50, 300);
  }
  await crashed;
  await until(() => recovered(bed), { ...recovering, timeoutMs: RECOVERED_MS }).catch(() =>
    complain(`the other process did not recover every partition within ${RECOVERED_MS / 1_000} s`),
  );
  await pause(500, 500);
  await crash.restart();
};

/** Both processes sweep: releases are lost until the armed one has redone often enough. */
const releasesLost: Trigger = async ({ bed, pause }, crash) => {
  const crashed = crash.happens();
  while (!crash.over()) {
    await loseReleases(bed, crash.over);
    await pause(100, 1_000);
  }
  await crashed;
  await crash.restart();
};

/** PostgreSQL is away, so that batches stay open; they are terminated until the armed process has started one again. */
const workflowsEnded: Trigger = async ({ bed, pause }, crash) => {
  const batches = accessBatches(bed);
  // A process that has never reached PostgreSQL looks after nothing.
  const ready = async () =>
    (await Promise.all(bed.apis.map(({ url }) => fetch(`${url}/readyz`)))).every(({ ok }) => ok);
  await until(ready, { what: 'the processes to be ready', timeoutMs: PATIENCE_MS });
  await bed.postgres.stop();
  try {
    const crashed = crash.happens();
    while (!crash.over()) {
      await Promise.all((await batches.open()).map((run) => batches.terminate(run)));
      await pause(200, 600);
    }
    await crashed;
  } finally {
    await bed.postgres.start();
    await batches.close();
  }
  await crash.restart();
};

async function recovered({ redisClient }: Bed): Promise<boolean> {
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partitionKeys(partition).state);
  const states = await Promise.all(partitions.map((state) => redisClient.hexists(state, 'epoch')));
  return states.every((exists) => exists === 1);
}

const PLACES: Readonly<Record<CrashPoint, Place>> = {
  'after-stage': {
    promises: 'A write is staged and its process dies: another sends it, and nobody was told anything.',
    role: 'api',
    passes: 60,
    trigger: load,
  },
  'after-seal': {
    promises: 'A process dies with a batch that it sealed: another one offers it, unchanged.',
    role: 'api',
    passes: 20,
    trigger: load,
  },
  'before-start': {
    promises: 'A process dies on the way to Temporal: the batch starts once, whoever starts it.',
    role: 'api',
    passes: 20,
    trigger: load,
  },
  'after-start': {
    promises: 'A process dies when its batch has started: who offers it again learns that it has.',
    role: 'api',
    passes: 20,
    trigger: load,
  },
  'after-confirm': {
    promises: 'A process dies when its batch is confirmed: the others tell their own waiting writes.',
    role: 'api',
    passes: 20,
    trigger: load,
  },
  'after-direct-persist': {
    promises:
      'Without Temporal a process persists a batch and dies before its release: it is persisted again, once.',
    role: 'api',
    passes: 3,
    trigger: withoutTemporal,
  },
  'after-void': {
    promises: 'A process dies between void and commit: nothing happened, and fills are not blocked for long.',
    role: 'api',
    passes: 20,
    trigger: load,
  },
  'after-commit': {
    promises: 'A process dies right after a commit: a miss is left, never the former value.',
    role: 'api',
    passes: 20,
    trigger: load,
  },
  'after-voids': {
    promises:
      'A process dies between the voids of a transaction and its commit: none of its writes happened.',
    role: 'api',
    passes: 5,
    trigger: load,
  },
  'after-commit-together': {
    promises: 'A process dies right after it committed a transaction: all of its writes are seen, or misses.',
    role: 'api',
    passes: 5,
    trigger: load,
  },
  'after-announce': {
    promises: 'A write around Redis is announced and never committed: Redis drops a copy it need not have.',
    role: 'api',
    passes: 2,
    trigger: cutFromRedis,
    bed: PROXIED,
    minimumDuring: 3,
  },
  'after-direct-commit': {
    promises: 'A write around Redis commits and its process dies: Redis is told of it all the same.',
    role: 'api',
    passes: 2,
    trigger: cutFromRedis,
    bed: PROXIED,
    minimumDuring: 3,
  },
  'after-lock': {
    promises: 'A recovery dies with its lock: another process recovers the partition soon.',
    role: 'api',
    passes: 2,
    trigger: redisForgets,
    bed: FORGETFUL,
    minimumDuring: 3,
  },
  'after-fence': {
    promises: 'A recovery dies between fence and epoch: the next one goes on from the new fence.',
    role: 'api',
    passes: 2,
    trigger: redisForgets,
    bed: FORGETFUL,
    minimumDuring: 3,
  },
  'after-prepare': {
    promises:
      'A recovery dies when what it found is in Redis and does not count yet: the next one begins with nothing.',
    role: 'api',
    passes: 2,
    trigger: redisForgets,
    bed: FORGETFUL,
    minimumDuring: 3,
  },
  'after-install': {
    promises: 'A recovery dies when its epoch is in Redis: the others go on in it.',
    role: 'api',
    passes: 2,
    trigger: redisForgets,
    bed: FORGETFUL,
    minimumDuring: 3,
  },
  'before-redo': {
    promises: 'A process dies when it is about to redo a release that was lost: another one redoes it.',
    role: 'api',
    passes: 3,
    trigger: releasesLost,
  },
  'before-rerun': {
    promises:
      'A process dies when it has started an ended batch again and recorded nothing: the run is found, and not started twice.',
    role: 'api',
    passes: 2,
    trigger: workflowsEnded,
    minimumDuring: 3,
  },
  'before-persist': {
    promises: 'The worker dies with a batch that it has not begun: the next one takes it.',
    role: 'worker',
    passes: 20,
    trigger: load,
  },
  'in-persist': {
    promises: 'The worker dies with rows written and not committed: no half of a batch is ever seen.',
    role: 'worker',
    passes: 20,
    trigger: load,
  },
  'after-persist': {
    promises:
      'The worker dies when a batch is committed and Temporal does not know: the second time changes nothing.',
    role: 'worker',
    passes: 20,
    trigger: load,
  },
  'before-release': {
    promises: 'The worker dies before it releases a batch: the next one does.',
    role: 'worker',
    passes: 20,
    trigger: load,
  },
  'after-release': {
    promises:
      'The worker dies when a batch is released and Temporal does not know: releasing again is harmless.',
    role: 'worker',
    passes: 20,
    trigger: load,
  },
  invalidate: {
    promises:
      'The worker dies before it tells Redis of writes around it: the next one does, and no read goes back.',
    role: 'worker',
    passes: 2,
    trigger: afterWritesAroundRedis,
    bed: PROXIED,
  },
};

/** One scenario for each crash point. */
export const crashScenarios: readonly Scenario[] = CRASH_POINTS.map((point) => {
  const { promises, role, passes, trigger, bed = ALWAYS, minimumDuring = 20 } = PLACES[point];
  return {
    name: `crash-${point}`,
    promises,
    bed,
    minimumDuring,
    async fault(context) {
      await context.pause(200, 800);
      await trigger(context, await arm(context, role, point, context.random.int(1, passes)));
    },
  };
});

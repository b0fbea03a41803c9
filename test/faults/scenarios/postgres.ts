import { execFileSync } from 'node:child_process';
import pg from 'pg';
import type { FaultContext, Scenario } from '../scenario.ts';

const bed = { redis: 'always' } as const;

/** The server and its processes: those that serve sessions go on when only their parent is stopped. */
function processes(pid: number): readonly number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const children = lines
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter(([, parent]) => parent === pid);
  return [pid, ...children.map(([child]) => Number(child))];
}

function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      // Sessions end on their own.
    }
  }
}

async function gone({ bed, pause, begin, end }: FaultContext, how: 'kill' | 'stop'): Promise<void> {
  await pause(300, 1_200);
  await bed.postgres[how]();
  begin();
  await pause(1_000, 4_000);
  await bed.postgres.start();
  end();
}

export const postgresScenarios: readonly Scenario[] = [
  {
    name: 'postgres-stopped',
    promises:
      'PostgreSQL is stopped and started: write-behind goes on, write-through says that it did not happen.',
    bed,
    minimumDuring: 50,
    fault: (context) => gone(context, 'stop'),
  },
  {
    name: 'postgres-killed',
    promises:
      'PostgreSQL is killed in the middle of commits: whether they happened, readers and answers agree.',
    bed,
    minimumDuring: 50,
    fault: (context) => gone(context, 'kill'),
  },
  {
    name: 'postgres-frozen',
    promises: 'PostgreSQL hangs and wakes: requests end in time, nothing commits that was given up.',
    bed,
    minimumDuring: 50,
    async fault({ bed, pause, begin, end }) {
      await pause(300, 1_200);
      const pids = processes(bed.postgres.pid);
      signal(pids, 'SIGSTOP');
      begin();
      await pause(1_000, 5_000);
      signal(pids.toReversed(), 'SIGCONT');
      end();
    },
  },
  {
    name: 'postgres-locked',
    promises: 'A lock is held on the tables: cached copies are read, write-behind goes on.',
    bed,
    minimumDuring: 50,
    async fault({ bed, pause, begin, end }) {
      await pause(300, 1_200);
      const session = new pg.Client({ connectionString: bed.db.options.connectionString });
      await session.connect();
      try {
        await session.query('BEGIN');
        await session.query('LOCK TABLE documents, counters IN ACCESS EXCLUSIVE MODE');
        begin();
        await pause(1_000, 5_000);
        await session.query('ROLLBACK');
        end();
      } finally {
        await session.end();
      }
    },
  },
  {
    name: 'postgres-slow',
    promises: 'Every answer of PostgreSQL is late: levels are reached later or named honestly.',
    bed: { redis: 'always', proxied: ['postgres'] },
    minimumDuring: 50,
    async fault({ bed, random, pause, begin, end }) {
      await pause(300, 800);
      bed.postgresProxy?.delay(random.int(100, 900));
      begin();
      await pause(2_000, 4_000);
      bed.postgresProxy?.delay(0);
      end();
    },
  },
];

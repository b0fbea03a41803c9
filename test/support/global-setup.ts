import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import type { Child } from '../../dev/services/child.ts';
import { guardFolder, unguardFolder } from '../../dev/services/guard.ts';
import { firstEnterable, postgresOwner } from '../../dev/services/owner.ts';
import { onFreePort } from '../../dev/services/ports.ts';
import { startPostgresServer } from '../../dev/services/postgres.ts';
import { findPostgres } from '../../dev/services/postgres-programs.ts';
import { findRedis, startRedisServer } from '../../dev/services/redis.ts';
import { startTemporalServer } from '../../dev/services/temporal.ts';
import { findTemporal } from '../../dev/services/temporal-programs.ts';
import './provided.ts';

/** Addresses in the environment are for real systems; tests flush, kill and fill what they talk to. */
const REAL_SYSTEMS = [
  'REDIS_URL',
  'DATABASE_URL',
  'TEMPORAL_ADDRESS',
  'TEMPORAL_NAMESPACE',
  'TEMPORAL_API_KEY',
];

const progress = (line: string) => process.stdout.write(`${line}\n`);

/**
 * Starts one Redis, one PostgreSQL and one Temporal dev server for the whole run, in a temporary folder and on free
 * ports, and stops them at the end. Should this process be killed, its guard does that.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  for (const name of REAL_SYSTEMS) delete process.env[name];
  const parent = firstEnterable([tmpdir(), '/tmp', '/var/tmp'], postgresOwner());
  const folder = mkdtempSync(join(parent, 'holdfast-test-'));
  chmodSync(folder, 0o755);
  guardFolder(folder);
  const children: Child[] = [];
  const keep = <T extends { readonly child: Child }>(server: T): T => {
    children.push(server.child);
    return server;
  };
  const teardown = async () => {
    await Promise.all(children.map((child) => child.stop()));
    rmSync(folder, { recursive: true, force: true });
    unguardFolder(folder);
  };
  const redis = async () => {
    const program = await findRedis(progress);
    const start = (port: number) =>
      startRedisServer({ program, folder: join(folder, 'redis'), port, appendOnly: false });
    return { program, url: keep(await onFreePort(start)).url };
  };
  const postgres = async () => {
    const programs = await findPostgres(progress);
    return keep(
      await onFreePort((port) =>
        startPostgresServer({
          programs,
          folder: join(folder, 'postgres'),
          stateFolder: join(folder, 'postgres-state'),
          port,
          durable: false,
          progress: () => {},
        }),
      ),
    );
  };
  const temporal = async () => {
    const program = await findTemporal(progress);
    mkdirSync(join(folder, 'temporal'));
    const [databaseFile, logFile] = [
      join(folder, 'temporal', 'temporal.db'),
      join(folder, 'temporal', 'log'),
    ];
    const start = (port: number) => startTemporalServer({ program, databaseFile, logFile, port });
    return { program, address: keep(await onFreePort(start)).address };
  };
  const started = await Promise.allSettled([redis(), postgres(), temporal()]);
  const [r, p, t] = started;
  if (r.status === 'rejected' || p.status === 'rejected' || t.status === 'rejected') {
    await teardown();
    const reasons = started.flatMap((one) =>
      one.status === 'rejected' ? [(one.reason as Error).message] : [],
    );
    throw new Error(reasons.join('\n'));
  }
  project.provide('services', {
    folder,
    redisUrl: r.value.url,
    redisProgram: r.value.program,
    databaseUrl: p.value.url('postgres'),
    temporalAddress: t.value.address,
    temporalCli: t.value.program,
  });
  return teardown;
}

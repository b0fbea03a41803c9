import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { ROOT } from '../dev/clone.ts';
import { query } from '../dev/services/postgres.ts';
import { run } from '../dev/services/programs.ts';

/** The packages that systems under test are made of, as they are installed. */
const PACKAGES = ['hono', 'ioredis', 'pg', 'bullmq', '@temporalio/client'] as const;

/** "Node 20.19.0", "Redis 7.2.1" and so on, for the report. */
export async function versionsOf(
  redisProgram: string,
  postgresUrl: string,
  temporalAddress: string,
): Promise<string[]> {
  const redis = /v=([\d.]+)/.exec(await run(redisProgram, ['--version']))?.[1] ?? '';
  const [row] = await query(postgresUrl, `SELECT current_setting('server_version') AS version`);
  const connection = await Connection.connect({ address: temporalAddress });
  const { serverVersion } = await connection.workflowService.getSystemInfo({});
  await connection.close();
  return [
    `Node ${process.versions.node}`,
    `Redis ${redis}`,
    `PostgreSQL ${String(row?.version).split(' ')[0]}`,
    `Temporal ${serverVersion} (dev server)`,
    ...PACKAGES.map((name) => `${name} ${packageVersion(name)}`),
  ];
}

/** Read as a file: not every package lets its package.json be imported. */
function packageVersion(name: string): string {
  const file = join(ROOT, 'node_modules', name, 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

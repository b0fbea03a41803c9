import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../dev/clone.ts';
import type { ServerVersions } from '../dev/services/server-versions.ts';

/** The packages that systems under test are made of, as they are installed. */
const PACKAGES = ['hono', 'ioredis', 'pg', 'bullmq', '@temporalio/client'] as const;

/** "Node 20.19.0", "Redis 7.2.1" and so on, for the report. */
export function versionsInWords({ redis, postgres, temporal }: ServerVersions): string[] {
  return [
    `Node ${process.versions.node}`,
    `Redis ${redis}`,
    `PostgreSQL ${postgres}`,
    `Temporal ${temporal} (dev server)`,
    ...PACKAGES.map((name) => `${name} ${packageVersion(name)}`),
  ];
}

/** Read as a file: not every package lets its package.json be imported. */
function packageVersion(name: string): string {
  const file = join(ROOT, 'node_modules', name, 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

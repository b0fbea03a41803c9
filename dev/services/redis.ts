import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Problem, type Progress } from '../problem.ts';
import { until } from '../until.ts';
import { type Child, startChild, untilReady } from './child.ts';
import { installWithPackageManager, type PackageNames } from './package-manager.ts';
import { onPath, versionOf } from './programs.ts';

/** What a Redis server of ours is reached at. */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  readonly child: Child;
}

export interface RedisOptions {
  readonly program: string;
  /** Its data, its log. Made when missing. */
  readonly folder: string;
  readonly port: number;
  /** Keep an append-only file, synced every second; otherwise nothing is written to disk. */
  readonly appendOnly: boolean;
  /** More `--name value` settings. */
  readonly settings?: readonly string[];
}

const PACKAGES: PackageNames = { 'apt-get': 'redis-server', dnf: 'redis', apk: 'redis', brew: 'redis' };

async function newEnough(program: string): Promise<boolean> {
  const version = await versionOf(program, /v=(\d+)\.(\d+)/);
  return version !== undefined && version.major >= 7;
}

async function redisOnPath(): Promise<string | undefined> {
  for (const name of ['redis-server', 'valkey-server']) {
    for (const program of onPath(name)) if (await newEnough(program)) return program;
  }
  return undefined;
}

/**
 * A Redis 7+ or Valkey server program: from PATH, else installed by the system's package manager where that needs no
 * question.
 * @throws Problem that says what was tried and what to install.
 */
export async function findRedis(progress: Progress): Promise<string> {
  const found = await redisOnPath();
  if (found) return found;
  const tried = await installWithPackageManager('Redis', PACKAGES, progress);
  const installed = await redisOnPath();
  if (installed) return installed;
  throw new Problem(
    `Redis: no redis-server 7+ or valkey-server on PATH; ${tried}. Install Redis 7 or newer, or set REDIS_URL.`,
  );
}

/**
 * Starts Redis on the loopback address and waits until it answers, data loaded.
 * @throws Error with the end of its log when it does not.
 */
export async function startRedisServer(options: RedisOptions): Promise<RedisServer> {
  const { program, folder, port, appendOnly, settings = [] } = options;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const child = await startChild({
    name: 'Redis',
    command: program,
    cwd: folder,
    output: { file: join(folder, 'redis.log') },
    args: [
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''],
      ...['--maxmemory-policy', 'noeviction', '--daemonize', 'no'],
      ...['--appendonly', appendOnly ? 'yes' : 'no', '--appendfsync', 'everysec'],
      ...settings,
    ],
  });
  await untilReady(
    child,
    until(() => answersPing(port), { timeoutMs: 60_000, what: 'Redis to answer PING' }),
  );
  return { url: `redis://127.0.0.1:${port}`, port, child };
}

function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write('PING\r\n'));
    const done = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, () => done(false));
    socket.once('data', (data) => done(data.toString().startsWith('+PONG')));
    socket.once('error', () => done(false));
    socket.once('close', () => done(false));
  });
}

import { spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { guardChild, unguardChild } from './guard.ts';

/** Runs in a process of its own: the SDK can neither be told to give up nor be interrupted. */
const SCRIPT = `
const { TestWorkflowEnvironment } = require(process.argv[1]);
const [kind, version, downloadDir] = process.argv.slice(2);
const server = { executable: { type: 'cached-download', version, downloadDir, ttl: '365 days' } };
const Env = TestWorkflowEnvironment;
(kind === 'dev-server' ? Env.createLocal({ server }) : Env.createTimeSkipping({ server })).then((env) => env.teardown()).then(
  () => process.exit(0),
  (error) => { process.stderr.write('\\n' + String(error.message).split('\\n')[0]); process.exit(1); },
);
`;

/** Not a byte for this long: the host is out of reach. */
const SILENT_MS = 8_000;
/** Nothing more for this long: the download has come to a halt (or the server it is tried with doesn't start). */
const STALLED_MS = 20_000;

/**
 * Has the Temporal SDK download one of its servers into `folder`.
 * @returns the program's path.
 * @throws Error in one line: the SDK's own, or that nothing came for eight seconds.
 */
export async function sdkDownload(
  kind: 'dev-server' | 'time-skipping',
  version: string,
  folder: string,
  progress: (megabytes: number) => void,
): Promise<string> {
  const downloads = join(folder, 'sdk');
  await mkdir(downloads, { recursive: true });
  const testing = createRequire(import.meta.url).resolve('@temporalio/testing');
  const child = spawn(process.execPath, ['-e', SCRIPT, testing, kind, `v${version}`, downloads], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (child.pid !== undefined) guardChild(child.pid, 'SIGTERM');
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4_000);
  });
  let stalled = false;
  let size = 0;
  let lastGrowth = performance.now();
  let lastShown = performance.now();
  const watch = setInterval(() => {
    const now = performance.now();
    const bytes = sizeOf(downloads);
    if (bytes > size) lastGrowth = now;
    size = bytes;
    if (now - lastShown > 5_000 && size > 0) {
      progress(Math.round(size / 1e6));
      lastShown = now;
    }
    stalled = now - lastGrowth > (size === 0 ? SILENT_MS : STALLED_MS);
    if (stalled) child.kill('SIGKILL');
  }, 250);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (stalled) throw new Error(`${size === 0 ? 'nothing' : 'nothing more'} came for seconds`);
    if (code !== 0) throw new Error(shorten(errors) || `exit code ${code}`);
  } finally {
    clearInterval(watch);
    child.kill('SIGKILL');
    if (child.pid !== undefined) unguardChild(child.pid);
  }
  const name = readdirSync(downloads).find((file) => file.endsWith(`v${version}`));
  if (!name) throw new Error('the SDK left no program');
  return join(downloads, name);
}

function sizeOf(folder: string): number {
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

/** Of the SDK's chain of causes, the host and the last cause. */
function shorten(errors: string): string {
  const line = errors.trim().split('\n').at(-1) ?? '';
  const host = /https:\/\/([^/?]+)/.exec(line)?.[1];
  const cause = line.split(': ').at(-1) ?? line;
  return host === undefined ? cause : `${host}: ${cause}`;
}

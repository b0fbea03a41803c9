import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { cachedFolder, cacheFolder } from '../../dev/services/cache.ts';
import { onPath, run } from '../../dev/services/programs.ts';

const MINUTES_MS = 60_000;

/**
 * The checker of Prometheus: from PATH, else out of Debian's package `prometheus`, which is unpacked and not installed: it would
 * start a server. `{ missing }` says why there is none.
 */
export async function findPromtool(): Promise<{ readonly path: string } | { readonly missing: string }> {
  const [installed] = onPath('promtool');
  if (installed !== undefined) return { path: installed };
  if (onPath('apt-get').length === 0 || onPath('dpkg-deb').length === 0) {
    return { missing: 'no promtool on PATH, and no apt-get to fetch it with' };
  }
  try {
    const folder = await cachedFolder(join(cacheFolder(), 'promtool-debian'), unpacked);
    return { path: join(folder, 'usr', 'bin', 'promtool') };
  } catch (error) {
    return { missing: (error as Error).message };
  }
}

async function unpacked(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const download = () =>
    run('apt-get', ['download', '-q', 'prometheus'], { cwd: folder, timeoutMs: 5 * MINUTES_MS });
  // Images come without package lists, and only root may fetch them.
  await download().catch(async (error: unknown) => {
    if (process.getuid?.() !== 0) throw error;
    await run('apt-get', ['update', '-q'], { timeoutMs: 3 * MINUTES_MS });
    await download();
  });
  const file = readdirSync(folder).find((name) => name.endsWith('.deb'));
  if (file === undefined) throw new Error('apt-get download prometheus left no package');
  await run('dpkg-deb', ['-x', join(folder, file), folder], { timeoutMs: MINUTES_MS });
  if (!existsSync(join(folder, 'usr', 'bin', 'promtool')))
    throw new Error('there is no promtool in the package prometheus');
}

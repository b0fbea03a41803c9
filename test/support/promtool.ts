import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cachedFolder, cacheFolder } from '../../dev/services/cache.ts';
import { onPath, run } from '../../dev/services/programs.ts';
import { namesInQuery, parseSamples } from './prometheus-text.ts';
import { temporaryFolder } from './services.ts';

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

/**
 * Whether an expression of PromQL has a result on the samples of one scrape, as an alert's must. promtool decides; without it only
 * `max(name) > number` can be asked.
 * @throws Error for other expressions where there is no promtool.
 */
export async function isTrue(expression: string, scrape: string): Promise<boolean> {
  const promtool = await findPromtool();
  if ('missing' in promtool) return isTrueByHand(expression, scrape);
  const folder = temporaryFolder('promtool');
  const file = join(folder, 'test.yml');
  const names = namesInQuery(expression);
  const series = parseSamples(scrape)
    .filter((sample) => names.includes(sample.name))
    .map(({ name, labels, value }) => ({ series: `${name}${labels}`, values: `${value}` }));
  const query = { expr: `count(${expression})`, eval_time: '0s', exp_samples: [{ labels: '{}', value: 1 }] };
  // JSON is YAML.
  writeFileSync(file, JSON.stringify({ tests: [{ input_series: series, promql_expr_test: [query] }] }));
  return await run(promtool.path, ['test', 'rules', file]).then(
    () => true,
    (error: Error) => {
      if (error.message.includes('exp:')) return false;
      throw error;
    },
  );
}

function isTrueByHand(expression: string, scrape: string): boolean {
  const [, name, bound] = /^max\((\w+)\) > (\d+)$/.exec(expression) ?? [];
  if (name === undefined) throw new Error(`without promtool nobody can evaluate ${expression}`);
  return parseSamples(scrape).some((sample) => sample.name === name && sample.value > Number(bound));
}

import { describeError, Problem } from '../../dev/problem.ts';
import { startPeerContender } from '../contenders.ts';
import { progress, runBench } from '../entry.ts';
import { disconnect } from '../system.ts';
import { writeText } from '../write-report.ts';
import { measureBacklog } from './backlog.ts';
import { measureFinished } from './finished.ts';
import { measureKeys } from './keys.ts';
import { type Part, readOptions, USAGE } from './options.ts';
import { measureProcesses } from './processes.ts';
import { growthReport } from './report.ts';
import type { Setting } from './setting.ts';

const MEASURE: Readonly<Record<Part, (setting: Setting) => Promise<string>>> = {
  keys: measureKeys,
  finished: measureFinished,
  processes: measureProcesses,
  backlog: measureBacklog,
};

/** All parts, one after the other. One that fails leaves its place in the report to its error, and the others go on. */
async function run(setting: Setting): Promise<void> {
  const { options, services } = setting;
  const sections: string[] = [];
  const failed: Part[] = [];
  for (const part of options.parts) {
    progress(`${part}: begins`);
    const begin = performance.now();
    try {
      sections.push(await MEASURE[part](setting));
    } catch (error) {
      failed.push(part);
      const why = describeError(error);
      progress(`${part}: FAILED: ${why}`);
      sections.push(`## FAILED: ${part}\n\n${why}`);
    }
    progress(`${part}: took ${Math.round((performance.now() - begin) / 1_000)} s`);
  }
  const text = growthReport(sections, options, services.versions);
  process.stdout.write(`${text}\n`);
  if (failed.length > 0)
    throw new Problem(`failed: ${failed.join(', ')}; nothing was written to docs/growth.md`);
  if (options.write) progress(`wrote ${writeText('docs/growth.md', text)}`);
}

await runBench({
  usage: USAGE,
  read: readOptions,
  async run(options, services, load) {
    const reference = await startPeerContender(services, 'a');
    await run({ options, services, load, reference }).finally(() => disconnect(reference.system));
  },
});

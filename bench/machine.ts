import { arch, availableParallelism, cpus, platform, totalmem } from 'node:os';

/** What a report begins with: by which npm script, when, on what machine, and with what versions. */
export function measuredBy(script: string, versions: readonly string[]): string {
  const memory = Math.round(totalmem() / 2 ** 30);
  const machine = `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? 'CPU'}, ${memory} GB (${platform()} ${arch()})`;
  const date = new Date().toISOString().slice(0, 10);
  return `Measured by \`npm run ${script}\` on ${date}: ${machine}; ${versions.join(', ')}.`;
}

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../dev/clone.ts';
import type { Chart } from './charts.ts';

const REPORT = 'docs/performance.md';
const IMAGES = 'docs/images';

/** The Markdown that shows a chart in docs/performance.md. */
export function imageLine({ name, title }: Chart): string {
  return `![${title}](images/${name}.svg)`;
}

/** Writes the report and its charts; those of a former run go. Answers what was written. */
export function writeReport(text: string, charts: readonly Chart[]): string {
  const folder = join(ROOT, IMAGES);
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (/^bench-.*\.svg$/.test(name)) rmSync(join(folder, name));
  for (const { name, svg } of charts) writeFileSync(join(folder, `${name}.svg`), svg);
  writeFileSync(join(ROOT, REPORT), text);
  return `${REPORT} and ${charts.length} charts in ${IMAGES}/`;
}

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../dev/clone.ts';
import type { Chart } from './charts.ts';

const REPORT = 'docs/performance.md';
const IMAGES = 'docs/images';

/** The Markdown that shows a chart in docs/performance.md. */
export function imageLine({ name, title }: Chart): string {
  return `![${title}](images/${name}.svg)`;
}

/** What follows it in the report was written by people, and is kept. */
const BY_HAND = '<!-- From here on written by hand: the benchmark keeps it. -->';

/** The new report, with what people wrote below the former one. */
export function keepingNotes(former: string, report: string): string {
  const at = former.indexOf(BY_HAND);
  return at < 0 ? `${report}\n` : `${report}\n\n${former.slice(at)}`;
}

/** Writes a report to a file of this clone, above what people wrote there. Answers which file. */
export function writeText(file: string, text: string): string {
  const path = join(ROOT, file);
  writeFileSync(path, keepingNotes(existsSync(path) ? readFileSync(path, 'utf8') : '', text));
  return file;
}

/** Writes the report and its charts; those of a former run go. Answers what was written. */
export function writeReport(text: string, charts: readonly Chart[]): string {
  const folder = join(ROOT, IMAGES);
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (/^bench-.*\.svg$/.test(name)) rmSync(join(folder, name));
  for (const { name, svg } of charts) writeFileSync(join(folder, `${name}.svg`), svg);
  return `${writeText(REPORT, text)} and ${charts.length} charts in ${IMAGES}/`;
}

import type { Spread } from './statistics.ts';

/** Three figures or so. */
export function digits(value: number): string {
  const size = Math.abs(value);
  const places = size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 || size === 0 ? 2 : 4;
  return value.toLocaleString('en-US', { minimumFractionDigits: places, maximumFractionDigits: places });
}

/** The median, and in parentheses the least and the greatest. */
export function withRange(values: Spread | undefined): string {
  if (values === undefined) return '–';
  if (values.min === values.max) return digits(values.median);
  return `${digits(values.median)} (${digits(values.min)}–${digits(values.max)})`;
}

/** The median alone. */
export function middle(values: Spread | undefined): string {
  return values === undefined ? '–' : digits(values.median);
}

/** A Markdown table whose columns also line up in a terminal: the first to the left, the others to the right. */
export function table(header: readonly string[], lines: readonly (readonly string[])[]): string {
  const widths = header.map((name, column) =>
    Math.max(name.length, ...lines.map((line) => line[column]?.length ?? 0)),
  );
  const row = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`;
  const rule = `|${widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [row(header), rule, ...lines.map(row)].join('\n');
}

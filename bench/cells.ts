import { digits } from './format.ts';
import type { Measurement } from './measure-run.ts';
import { spread } from './statistics.ts';
import { PARTS } from './system.ts';

/** What one system's rounds cost: µs of processor time a request, by the letter of each part, and the sum. "–": nobody counted. */
export function cpuText(measurements: readonly Measurement[]): string {
  const parts = PARTS.flatMap((part) => {
    const values = spread(measurements.flatMap(({ cpuMicros }) => cpuMicros[part] ?? []));
    return values === undefined ? [] : [{ letter: part.charAt(0).toUpperCase(), value: values.median }];
  });
  if (parts.length === 0) return '–';
  const each = parts.map(({ letter, value }) => `${letter} ${Math.round(value)}`).join(' ');
  return `${each} = ${Math.round(parts.reduce((sum, { value }) => sum + value, 0))}`;
}

/** Which requests failed in any of the rounds, by status or reason: "4 × 503"; "0": none. */
export function errorText(measurements: readonly Measurement[]): string {
  const sums = new Map<string, number>();
  for (const { errors } of measurements) {
    for (const [reason, times] of Object.entries(errors)) sums.set(reason, (sums.get(reason) ?? 0) + times);
  }
  return sums.size === 0 ? '0' : [...sums].map(([reason, times]) => `${times} × ${reason}`).join(', ');
}

/** A warning where the load generator itself may have been what limited, or nothing. */
export function generatorWarning(measurements: readonly Measurement[]): string[] {
  const busy = Math.max(0, ...measurements.map(({ ownCpu }) => ownCpu));
  if (busy <= 0.9) return [];
  return [`The load generator used ${digits(busy * 100)} % of a core at times: it may have been the limit.`];
}

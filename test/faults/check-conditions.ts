import type { Acknowledged, EntryHistory } from './entry-history.ts';
import type { Violation } from './history.ts';

/** The collection of the workload that is written through. */
const WRITE_THROUGH = 'orders';

/** A conditional write that succeeded replaced exactly what it named. */
export function checkConditions(entry: EntryHistory): readonly Violation[] {
  const violations: Violation[] = [];
  for (const [i, call] of entry.acknowledged.entries()) {
    if (call.condition === undefined) continue;
    const replaced = wronglyReplaced(entry, call, call.condition, entry.acknowledged.slice(0, i));
    if (replaced === undefined) continue;
    const condition =
      'ifVersion' in call.condition ? `If-Match ${call.condition.ifVersion}` : 'If-None-Match: *';
    violations.push(
      entry.violation(
        'condition',
        `${condition} succeeded as ${call.version}, over the ${replaced.operation} at ${replaced.version}`,
        [replaced, call],
      ),
    );
  }
  return violations;
}

/**
 * Versions of writes that went around Redis are odd. The documented exception: a conditional write through Redis does not
 * see one that is still under way, and may replace it; nor one of a process that alone is cut off from Redis, until that is
 * invalidated.
 */
function wentAround(call: Acknowledged): boolean {
  return call.version % 2 === 1;
}

/**
 * The write that must have been there, where the condition did not hold on it. Those above it that Redis may have
 * forgotten were there or not: the condition may hold on any of them.
 */
function wronglyReplaced(
  entry: EntryHistory,
  call: Acknowledged,
  condition: NonNullable<Acknowledged['condition']>,
  below: readonly Acknowledged[],
): Acknowledged | undefined {
  const unknownDelete = entry.unknown.some((other) => other.operation === 'delete' && other.start < call.end);
  if ('ifAbsent' in condition && unknownDelete) return undefined;
  for (const other of below.toReversed()) {
    if ('ifVersion' in condition) {
      if (other.version <= condition.ifVersion) return undefined;
    } else if (other.operation === 'delete') {
      return undefined;
    }
    if (wentAround(other) && call.start < other.end) continue;
    // A write-through has its condition in the statement, so that it sees every row.
    if (call.collection !== WRITE_THROUGH && entry.wroteUnseen(other.version, call)) continue;
    if (entry.lasts(other.version, other.start, call.end)) return other;
  }
  return undefined;
}

import type { Acknowledged, EntryHistory } from './entry-history.ts';
import type { Violation } from './history.ts';

/** A conditional write that succeeded replaced exactly what it named. */
export function checkConditions(entry: EntryHistory): readonly Violation[] {
  const violations: Violation[] = [];
  for (const call of entry.acknowledged) {
    const { condition } = call;
    if (condition === undefined) continue;
    const before = lastBefore(entry, call);
    if ('ifVersion' in condition) {
      if (before !== undefined && before.version > condition.ifVersion) {
        violations.push(
          entry.violation(
            'condition',
            `If-Match ${condition.ifVersion} succeeded as ${call.version}, over version ${before.version}`,
            [before, call],
          ),
        );
      }
    } else if (before !== undefined && before.operation !== 'delete' && !deletedUnknown(entry, call)) {
      violations.push(
        entry.violation(
          'condition',
          `If-None-Match: * succeeded as ${call.version}, over version ${before.version} that exists`,
          [before, call],
        ),
      );
    }
  }
  return violations;
}

/** The newest write below `call` that nothing can have undone. */
function lastBefore(entry: EntryHistory, call: Acknowledged): Acknowledged | undefined {
  return entry.acknowledged.findLast(
    (other) => other.version < call.version && entry.lasts(other.version, other.start, call.end),
  );
}

function deletedUnknown(entry: EntryHistory, call: Acknowledged): boolean {
  return entry.unknown.some((other) => other.operation === 'delete' && other.start < call.end);
}

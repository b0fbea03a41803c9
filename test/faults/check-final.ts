import { floorAt } from './check-order.ts';
import type { EntryHistory } from './entry-history.ts';
import type { Violation } from './history.ts';

const END = Number.POSITIVE_INFINITY;

/** Nothing acknowledged is lost, and Redis, the pending index and every API process agree with the row. */
export function checkFinal(entry: EntryHistory): readonly Violation[] {
  const violations: Violation[] = [];
  const { row, cached, pendingIn, reads } = entry.final;
  const version = row?.version ?? 0;

  const lost = entry.acknowledged.findLast((call) => entry.lasts(call.version, call.start, END));
  const floor = floorAt(entry, { start: END, end: END });
  if (lost !== undefined && version < lost.version) {
    violations.push(
      entry.violation(
        'lost',
        `the row is at version ${version}, and version ${lost.version} was acknowledged as ${lost.level}`,
        [lost],
      ),
    );
  } else if (floor !== undefined && version < floor.version) {
    violations.push(
      entry.violation(
        'lost',
        `the row is at version ${version}, and version ${floor.version} had been read`,
        [floor.call],
      ),
    );
  }
  if (pendingIn !== null) {
    violations.push(entry.violation('not-drained', `the pending index still names batch ${pendingIn}`));
  }
  const value = row?.value ?? null;
  if (cached !== null && (cached.version !== version || cached.value !== value)) {
    violations.push(
      entry.violation('disagreement', `Redis holds ${text(cached)} and the row is ${text(row)}`),
    );
  }
  for (const read of reads) {
    if (read.value === value && (value === null || read.version === version)) continue;
    violations.push(
      entry.violation('disagreement', `API ${read.api} reads ${text(read)} and the row is ${text(row)}`),
    );
  }
  return violations;
}

function text(state: { readonly version?: number; readonly value: unknown } | null): string {
  return state === null ? 'absent' : `${state.value} at version ${state.version ?? 'none'}`;
}

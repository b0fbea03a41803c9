import { floorAt } from './check-order.ts';
import type { EntryHistory } from './entry-history.ts';
import type { FinalEntry, Violation } from './history.ts';

const END = Number.POSITIVE_INFINITY;

/** Nothing acknowledged is lost, and Redis, the pending index and every API process agree with the row. */
export function checkFinal(entry: EntryHistory): readonly Violation[] {
  const violations: Violation[] = [];
  const { row, cached, pendingIn, reads } = entry.final;
  const version = row?.version ?? prunedVersion(entry);
  const theRow = row === null && version > 0 ? 'the row, pruned by now, was' : 'the row is';

  const lost = entry.acknowledged.findLast((call) => entry.lasts(call.version, call.start, END));
  const floor = floorAt(entry, { start: END, end: END });
  if (lost !== undefined && version < lost.version) {
    violations.push(
      entry.violation(
        'lost',
        `${theRow} at version ${version}, and version ${lost.version} was acknowledged as ${lost.level}`,
        [lost],
      ),
    );
  } else if (floor !== undefined && version < floor.version) {
    violations.push(
      entry.violation('lost', `${theRow} at version ${version}, and version ${floor.version} had been read`, [
        floor.call,
      ]),
    );
  }
  if (pendingIn !== null) {
    violations.push(entry.violation('not-drained', `the pending index still names batch ${pendingIn}`));
  }
  const value = row?.value ?? null;
  if (cached !== null && !(copyIsCurrent(entry.final) && cached.value === value)) {
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

/** Whether Redis' copy is of the row's version. The copy of a deletion may outlive its row, which was pruned. */
export function copyIsCurrent({ row, cached, pruneFloor = 0 }: FinalEntry): boolean {
  if (cached === null) return true;
  if (row === null && cached.value === null) return cached.version <= pruneFloor;
  return cached.version === (row?.version ?? 0);
}

/** Where there is no row: the version that a deletion may have had whose row was pruned, at most; 0 where there was none. */
function prunedVersion({ final, acknowledged, unknown }: EntryHistory): number {
  const { pruneFloor = 0 } = final;
  if (unknown.some((call) => call.operation === 'delete')) return pruneFloor;
  const deletions = acknowledged.filter((call) => call.operation === 'delete' && call.version <= pruneFloor);
  return deletions.at(-1)?.version ?? 0;
}

function text(state: { readonly version?: number; readonly value: unknown } | null): string {
  return state === null ? 'absent' : `${state.value} at version ${state.version ?? 'none'}`;
}

import type { EntryHistory, Reader } from './entry-history.ts';
import type { Call, Violation } from './history.ts';

/** The newest version that must be visible, and the call that proves it. */
interface Floor {
  readonly version: number;
  readonly call: Call;
}

/**
 * Read your writes, and never backwards: a call that starts after a write was acknowledged, or after another read
 * returned, sees that version or a newer one, on every API process.
 */
export function checkOrder(entry: EntryHistory): readonly Violation[] {
  const violations: Violation[] = [];
  for (const call of entry.calls) {
    if (call.outcome !== 'ok') continue;
    const floor = floorAt(entry, call, call.operation === 'read' ? call : undefined);
    if (floor === undefined) continue;
    if (call.version === undefined) {
      if (call.operation === 'read' && !mayBeAbsent(entry, floor.version, call.end)) {
        violations.push(
          entry.violation(
            'backwards',
            `a read found nothing, after version ${floor.version} was ${verb(floor)}`,
            [floor.call, call],
          ),
        );
      }
    } else if (call.operation === 'read' ? call.version < floor.version : call.version <= floor.version) {
      const what = call.operation === 'read' ? 'a read returned' : `a ${call.operation} was given`;
      violations.push(
        entry.violation(
          'backwards',
          `${what} version ${call.version}, after version ${floor.version} was ${verb(floor)}`,
          [floor.call, call],
        ),
      );
    }
  }
  return violations;
}

function verb(floor: Floor): string {
  return floor.call.operation === 'read' ? 'read' : 'acknowledged';
}

/**
 * The newest version known before `start` that must still be there at `end`. A version that is given out is above all of
 * these; a `reader` may miss some.
 */
export function floorAt(
  entry: EntryHistory,
  { start, end }: { readonly start: number; readonly end: number },
  reader?: Reader,
): Floor | undefined {
  let floor: Floor | undefined;
  for (const call of entry.calls) {
    // In order of their start: no later one can have ended before.
    if (call.start >= start) break;
    if (call.end >= start || call.outcome !== 'ok' || call.version === undefined) continue;
    if (call.version <= (floor?.version ?? 0)) continue;
    if (!entry.lasts(call.version, call.start, end)) continue;
    if (reader !== undefined && entry.mayBeHidden(call.version, reader)) continue;
    floor = { version: call.version, call };
  }
  return floor;
}

/** Whether a deletion at `floor` or above explains that there is nothing. */
function mayBeAbsent(entry: EntryHistory, floor: number, end: number): boolean {
  return entry.calls.some(
    (call) =>
      call.operation === 'delete' &&
      call.start < end &&
      (call.outcome === 'unknown' || (call.version ?? -1) >= floor),
  );
}

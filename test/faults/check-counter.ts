import type { Acknowledged, EntryHistory } from './entry-history.ts';
import type { Call, Violation } from './history.ts';

const sum = (calls: readonly Call[]) => calls.reduce((total, call) => total + (call.by ?? 0), 0);
const END = Number.POSITIVE_INFINITY;

/**
 * Counters are exact: the value is the sum of the acknowledged increments plus at most the unknown ones. Workloads only
 * ever add, so that the bounds hold at every acknowledgement, too.
 */
export function checkCounter(entry: EntryHistory): readonly Violation[] {
  const increments = entry.acknowledged.filter((call) => call.operation === 'increment');
  const unknown = entry.unknown.filter((call) => call.operation === 'increment');
  if (increments.length + unknown.length === 0) return [];
  return [...checkSteps(entry, increments, unknown), ...checkEnd(entry, increments, unknown)];
}

/** Each result contains every increment below it that must have lasted until then. */
function checkSteps(
  entry: EntryHistory,
  increments: readonly Acknowledged[],
  unknown: readonly Call[],
): readonly Violation[] {
  const violations: Violation[] = [];
  let most = sum(unknown);
  let lasting = 0;
  const volatile: Acknowledged[] = [];
  for (const call of increments) {
    const value = Number(call.value);
    const least =
      lasting +
      sum(volatile.filter((other) => entry.lasts(other.version, other.start, call.end))) +
      (call.by ?? 0);
    most += call.by ?? 0;
    if (value < least || value > most + forgotten(call, increments)) {
      violations.push(
        entry.violation(
          'counter',
          `an increment made ${value} of it, which must be within ${least} … ${most}`,
          [call],
        ),
      );
    }
    if (entry.lasts(call.version, call.start, END)) lasting += call.by ?? 0;
    else volatile.push(call);
  }
  return violations;
}

/**
 * What increments may have added that were executed, forgotten together with Redis' memory, and executed again when they were
 * repeated: their receipt is of the second time. The end has them once.
 */
function forgotten(call: Acknowledged, increments: readonly Acknowledged[]): number {
  return sum(
    increments.filter(
      ({ sent = 1, version, start }) => sent > 1 && version > call.version && start < call.end,
    ),
  );
}

function checkEnd(
  entry: EntryHistory,
  increments: readonly Acknowledged[],
  unknown: readonly Call[],
): readonly Violation[] {
  const least = sum(increments.filter((call) => entry.lasts(call.version, call.start, END)));
  const most = sum(increments) + sum(unknown);
  const value = Number(entry.final.row?.value ?? 0);
  if (value >= least && value <= most) return [];
  return [
    entry.violation(
      'counter',
      `the row says ${value}, which must be within ${least} … ${most} (acknowledged ${sum(increments)}, unknown ${sum(unknown)})`,
    ),
  ];
}

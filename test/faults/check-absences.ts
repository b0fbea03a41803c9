import type { Call } from './history.ts';
import type { Flaw, PlacedStep, RegisterHistory, Step } from './register-history.ts';

/** A read that found nothing, and the gaps it may lie in: gap 3 is between the third write with its reads and the fourth. */
interface Absence extends Step {
  readonly first: number;
  readonly last: number;
}

const earliest = (times: readonly number[]) => Math.min(Number.POSITIVE_INFINITY, ...times);

/**
 * Whether every read that found nothing, and every condition that nothing be there, has a place where there is nothing.
 *
 * Time confines each such read to a range of gaps. A gap ends with nothing there if it begins so (gap 0, or after a
 * deletion), or if one of the unknown deletions is put into it, after the reads of its version. Given these gaps, it is
 * best to put each read into the first one of its range: reads then stay in order, for the range of a read neither begins
 * nor ends before that of one that had ended before it; and as few as can be come after any deletion.
 *
 * So there must be such gaps in all ranges, and a deletion of its own for each that needs one, which started before
 * everything that comes after it ended. In the order of their ends, each range that has no such gap yet is given its last
 * one. No other choice needs fewer, and the k-th gap of any other is not a later one. A later one is never worse, as less
 * comes after it. For the same reason the deletion that started first goes into the first gap.
 */
export function* absenceFlaws(
  history: RegisterHistory,
  steps: readonly PlacedStep[],
): Generator<Flaw, void, undefined> {
  const { writes, unseen } = history;
  const absences = history.absences.map((read) => confine(read, steps, writes.length));
  // A condition that nothing be there forces a deletion into the gap before it; one that names a version forbids any.
  const empty = new Set([0]);
  const extra = new Set<number>();
  const forbidden = new Set<number>();
  for (const [i, { value, condition }] of writes.entries()) {
    if (value === null) empty.add(i + 1);
    if (condition === undefined) continue;
    if ('ifVersion' in condition) forbidden.add(i);
    else if (!empty.has(i)) extra.add(i);
  }
  const emptyIn = ({ first, last }: Absence): number | undefined => {
    for (let gap = first; gap <= last; gap++) if (empty.has(gap) || extra.has(gap)) return gap;
    return undefined;
  };
  for (const absence of absences.toSorted((a, b) => a.last - b.last)) {
    if (emptyIn(absence) !== undefined) continue;
    let gap = absence.last;
    while (gap >= absence.first && forbidden.has(gap)) gap--;
    if (gap < absence.first) {
      yield { message: 'nothing was found where something must have been', calls: absence.calls };
      return;
    }
    extra.add(gap);
  }

  const deletions = unseen.filter((call) => call.operation === 'delete').sort((a, b) => a.start - b.start);
  for (const [k, gap] of [...extra].sort((a, b) => a - b).entries()) {
    const after: Step[] = [
      ...steps.filter(({ place }) => place > gap),
      ...absences.filter((absence) => (emptyIn(absence) ?? 0) >= gap),
    ];
    const deletion: Call | undefined = deletions[k];
    if (deletion !== undefined && deletion.start <= earliest(after.map(({ end }) => end))) continue;
    yield {
      message: `nothing was there after ${writes[gap - 1]?.version}, and no deletion explains it`,
      calls: [...(writes[gap - 1]?.calls ?? []), ...after.slice(0, 3).flatMap(({ calls }) => calls)],
    };
  }
}

function confine(read: Step, steps: readonly PlacedStep[], writes: number): Absence {
  let [first, last] = [0, writes];
  for (const { place, start, end } of steps) {
    if (end < read.start) first = Math.max(first, place);
    if (start > read.end) last = Math.min(last, place - 1);
  }
  return { ...read, first, last };
}

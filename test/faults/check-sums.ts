import type { Flaw, PlacedStep, RegisterHistory } from './register-history.ts';

/**
 * Whether the unknown increments can lie between the known ones, each at most once, so that every sum is right.
 *
 * What may lie before a write must have started before everything from there on ended; that goes for all later writes,
 * too. So the unknown increments that may be used only become more from write to write, those of one size are as good as
 * each other, and it is enough to remember how many of each size were used: every way to do so.
 */
export function* sumFlaws(
  { writes, unseen }: RegisterHistory,
  steps: readonly PlacedStep[],
): Generator<Flaw, void, undefined> {
  const sizes = [...new Set(unseen.map(({ by }) => by ?? 0))].filter((size) => size > 0);
  const ends = endsFrom(steps, writes.length);
  let used: readonly Used[] = [sizes.map(() => 0)];
  let before = 0;
  for (const [i, write] of writes.entries()) {
    if (typeof write.value !== 'number') continue;
    const missing = write.value - before - (write.by ?? 0);
    before = write.value;
    // A value that only reads know is at least one unknown increment above the one before.
    if (write.by === undefined && missing === 0) {
      yield { message: `version ${write.version} has the value of the one before it`, calls: write.calls };
    }
    if (missing === 0) continue;
    const usable = sizes.map(
      (size) => unseen.filter(({ by, start }) => by === size && start <= (ends[i + 1] ?? 0)).length,
    );
    used = distinct(used.flatMap((counts) => [...waysToAdd(missing, counts, sizes, usable)]));
    if (used.length > 0) continue;
    yield {
      message: `version ${write.version} is ${write.value}; what is known makes ${write.value - missing}, and increments without an answer cannot be the difference`,
      calls: [...(writes[i - 1]?.calls ?? []), ...write.calls],
    };
    return;
  }
}

/** How many increments of each size were used. */
type Used = readonly number[];

/** For each place, when the first of the steps from there on ended. */
function endsFrom(steps: readonly PlacedStep[], writes: number): readonly number[] {
  const ends = Array.from({ length: writes + 1 }, () => Number.POSITIVE_INFINITY);
  for (const { place, end } of steps) ends[place] = Math.min(ends[place] ?? end, end);
  for (let place = writes - 1; place >= 0; place--) {
    ends[place] = Math.min(ends[place] ?? 0, ends[place + 1] ?? 0);
  }
  return ends;
}

/** Every way to use more increments so that they add `missing`. */
function* waysToAdd(
  missing: number,
  counts: Used,
  sizes: readonly number[],
  usable: readonly number[],
  at = 0,
): Generator<Used> {
  const size = sizes[at];
  if (missing === 0) yield counts;
  if (missing <= 0 || size === undefined) return;
  for (let more = 0; more * size <= missing; more++) {
    const count = (counts[at] ?? 0) + more;
    if (count > (usable[at] ?? 0)) return;
    yield* waysToAdd(missing - more * size, counts.with(at, count), sizes, usable, at + 1);
  }
}

function distinct(ways: readonly Used[]): readonly Used[] {
  return [...new Map(ways.map((counts) => [counts.join(), counts])).values()];
}

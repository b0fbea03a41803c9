import { absenceFlaws } from './check-absences.ts';
import { sumFlaws } from './check-sums.ts';
import type { EntryHistory } from './entry-history.ts';
import type { Call, State, Violation } from './history.ts';
import { type Flaw, type PlacedStep, type RegisterHistory, registerHistory } from './register-history.ts';

/**
 * Entries of durable collections are linearizable, without any exemption for what Redis lost or who could not reach it. One
 * with a dead letter, also a former one, is not judged: a write that is set aside reverts, as documented.
 */
export function checkLinearizable(entry: EntryHistory): readonly Violation[] {
  if (entry.final.deadLetters.length + entry.decisions.length > 0) return [];
  const flaw = firstFlaw(entry.calls, entry.final.row);
  return flaw === undefined ? [] : [entry.violation('not-linearizable', flaw.message, flaw.calls)];
}

/**
 * Why the calls to one entry, and its row at the end, are not those of one versioned register; `undefined` where they are.
 *
 * The register: it begins absent. A write takes a version above every version before and sets the value, removes it, or
 * adds to it; it has a condition only if that holds. A read gives version and value, or says that there is none. Calls
 * that failed are not part of the history; unknown ones take effect once, at any time after their start, or never.
 * Presumed of the calls: tokens are unique, deletions have no condition, the versions in conditions were in answers,
 * increments add at least 1.
 *
 * Linearizable means: the calls can be put in one sequence of the register that keeps calls in order of which one ended
 * before the other started. Versions leave no choice in it but three, so no search is needed:
 *
 * 1. Writes whose version is known come in its order, each followed by the reads of its version. This is the register's
 *    only sequence of them; it keeps the order of time if and only if no call comes after one that had ended before the
 *    other started (`orderFlaws`). Reads of one version may be put in order of their starts.
 * 2. What is known of the state before a write must be what its condition says (`conditionFlaws`): nothing lies between
 *    two neighbouring versions but unknown deletions.
 * 3. Reads that found nothing have no version: they go where nothing is, before the first write, after a deletion, or
 *    after an unknown deletion that is put there for them (`absenceFlaws`).
 * 4. Unknown increments lie between the known ones so that the sums are right (`sumFlaws`).
 *
 * Each is necessary. Together they suffice: the sequence of 1 with what 3 and 4 put in between is one of the register. A
 * property test compares all this with a search over every sequence.
 */
export function firstFlaw(calls: readonly Call[], row: State | null): Flaw | undefined {
  for (const flaw of flaws(calls, row)) return flaw;
  return undefined;
}

/** Each check presumes that those before it found nothing. */
function* flaws(calls: readonly Call[], row: State | null): Generator<Flaw, void, undefined> {
  const history = yield* registerHistory(calls, row);
  const steps = placed(history);
  yield* orderFlaws(steps);
  yield* conditionFlaws(history);
  yield* absenceFlaws(history, steps);
  yield* sumFlaws(history, steps);
}

function placed({ writes, reads }: RegisterHistory): readonly PlacedStep[] {
  const places = new Map(writes.map(({ version }, i) => [version, i + 1]));
  return [
    ...writes.map((write, i) => ({ ...write, place: i + 1, reads: false })),
    ...reads.map((read) => ({ ...read, place: places.get(read.version) ?? 0, reads: true })),
  ];
}

/** A step that starts after another has ended is not below it; a write is above it. */
function* orderFlaws(steps: readonly PlacedStep[]): Generator<Flaw, void, undefined> {
  const byEnd = steps.toSorted((a, b) => a.end - b.end).values();
  let ending = byEnd.next();
  let highest: PlacedStep | undefined;
  for (const step of steps.toSorted((a, b) => a.start - b.start)) {
    for (; !ending.done && ending.value.end < step.start; ending = byEnd.next()) {
      if (ending.value.place > (highest?.place ?? 0)) highest = ending.value;
    }
    if (highest === undefined || step.place > highest.place) continue;
    if (step.reads && step.place === highest.place) continue;
    const what = step.reads ? 'a read returned' : 'a write was given';
    yield {
      message: `${what} an older version than a call that had ended before`,
      calls: [...highest.calls, ...step.calls],
    };
  }
}

function* conditionFlaws({ writes }: RegisterHistory): Generator<Flaw, void, undefined> {
  for (const [i, write] of writes.entries()) {
    if (write.condition === undefined || !('ifVersion' in write.condition)) continue;
    const { ifVersion } = write.condition;
    const before = writes[i - 1];
    if (before?.version === ifVersion && before.value !== null) continue;
    yield {
      message: `If-Match ${ifVersion} succeeded at version ${write.version}, over ${before?.version ?? 'nothing'}`,
      calls: [...(before?.calls ?? []), ...write.calls],
    };
  }
}

import { checkConditions } from './check-conditions.ts';
import { checkCounter } from './check-counter.ts';
import { checkDecisions } from './check-decisions.ts';
import { checkFinal } from './check-final.ts';
import { checkLinearizable } from './check-linearizable.ts';
import { checkOrder } from './check-order.ts';
import { checkTogether } from './check-together.ts';
import { checkValues } from './check-values.ts';
import { entryHistory } from './entry-history.ts';
import { groupBy, type History, nameOf, type Violation } from './history.ts';

/**
 * Judges what clients observed, and what was left when everything had drained. Empty: every promise held. Knows nothing
 * of how Holdfast works, only of what it says to its clients.
 */
export function check(history: History): readonly Violation[] {
  const calls = new Map(groupBy(history.calls, nameOf));
  const violations: Violation[] = [];
  for (const final of history.final) {
    const entry = entryHistory(calls.get(nameOf(final)) ?? [], history, final);
    calls.delete(nameOf(final));
    violations.push(
      ...checkValues(entry),
      ...checkOrder(entry),
      ...checkConditions(entry),
      ...checkCounter(entry),
      ...checkFinal(entry),
      ...(history.durable?.includes(final.collection) === true ? checkLinearizable(entry) : []),
      ...checkDecisions(entry),
    );
  }
  for (const [name, some] of calls) {
    throw new Error(`the final state of ${name} is missing: ${some.length} calls cannot be judged`);
  }
  return [...violations, ...checkTogether(history)];
}

import type { EntryHistory } from './entry-history.ts';
import type { Violation } from './history.ts';

/** What an operator decided about a write holds, and no write is set aside and in its row at once. */
export function checkDecisions(entry: EntryHistory): readonly Violation[] {
  const violations: Violation[] = [];
  const { row, deadLetters } = entry.final;
  if (row !== null && deadLetters.includes(row.version)) {
    violations.push(
      entry.violation('set-aside-visible', `the row is at version ${row.version}, which is set aside`),
    );
  }
  for (const { decided, version, at } of entry.decisions) {
    if (decided === 'discarded') {
      const read = entry.calls.find(
        (call) => call.operation === 'read' && call.version === version && call.start > at,
      );
      if (read !== undefined) {
        const message = `a read returned version ${version} after it was discarded`;
        violations.push(entry.violation('set-aside-visible', message, [read]));
      }
      if (!deadLetters.includes(version)) {
        violations.push(
          entry.violation('decision-lost', `the discard of version ${version} is not on record`),
        );
      }
    } else {
      if ((row?.version ?? 0) < version) {
        const message = `the row is at version ${row?.version ?? 0}, and version ${version} was retried with success`;
        violations.push(entry.violation('lost', message));
      }
      if (deadLetters.includes(version)) {
        violations.push(
          entry.violation('decision-lost', `version ${version} was retried and is still set aside`),
        );
      }
    }
  }
  return violations;
}

import type { Acknowledged, EntryHistory } from './entry-history.ts';
import type { Call, Value, Violation } from './history.ts';

/** A value somebody saw, and where: a read, or the row at the end. */
interface Sighting {
  readonly version: number;
  readonly value: Value;
  readonly end: number;
  readonly where: string;
  readonly calls: readonly Call[];
}

/** Nothing invented: every value that was seen was written with the version it was seen at, and that write did not fail. */
export function checkValues(entry: EntryHistory): readonly Violation[] {
  const violations: Violation[] = [];
  const seen = new Map<number, Sighting>();
  const versionOfToken = new Map<string, number>();

  const add = (rule: string, message: string, sighting: Sighting, more: readonly Call[] = []) =>
    violations.push(entry.violation(rule, `${sighting.where} ${message}`, [...more, ...sighting.calls]));

  for (const sighting of sightings(entry)) {
    const { version, value } = sighting;
    const before = seen.get(version);
    if (before !== undefined && before.value !== value) {
      add(
        'two-values',
        `shows ${value} where version ${version} was ${before.value} before`,
        sighting,
        before.calls,
      );
    }
    seen.set(version, sighting);
    const writer = entry.byVersion.get(version);
    if (writer !== undefined && writer.start > sighting.end) {
      add('invented', `shows version ${version} before it was written`, sighting, [writer]);
    }
    if (value === null) {
      if (writer !== undefined && writer.operation !== 'delete') {
        add('wrong-value', `shows version ${version} as deleted, which was a ${writer.operation}`, sighting, [
          writer,
        ]);
      } else if (writer === undefined && !mayComeFrom(entry, 'delete', sighting)) {
        add('invented', `shows a deletion at version ${version} that nobody asked for`, sighting);
      }
    } else if (typeof value === 'number') {
      if (writer !== undefined && writer.value !== value) {
        add('wrong-value', `shows ${value} at version ${version}, which was ${writer.value}`, sighting, [
          writer,
        ]);
      } else if (writer === undefined && !mayComeFrom(entry, 'increment', sighting)) {
        add('invented', `shows ${value} at version ${version}, which nobody wrote`, sighting);
      }
    } else {
      const source = entry.byToken.get(value);
      if (source === undefined || source.start > sighting.end) {
        add('invented', `shows ${value}, which nobody had written`, sighting);
      } else if (source.outcome === 'failed') {
        add(
          'failed-visible',
          `shows ${value}, whose write was said to have failed (${source.code})`,
          sighting,
          [source],
        );
      } else if (source.outcome === 'ok' && source.version !== version) {
        add('wrong-value', `shows ${value} at version ${version}, written at ${source.version}`, sighting, [
          source,
        ]);
      }
      const other = versionOfToken.get(value);
      if (other !== undefined && other !== version) {
        add(
          'twice',
          `shows ${value} at version ${version}, seen at ${other} before: one write happened twice`,
          sighting,
        );
      }
      versionOfToken.set(value, version);
    }
  }
  for (const [i, call] of entry.acknowledged.entries()) {
    const before = entry.acknowledged[i - 1];
    if (before?.version === call.version) {
      violations.push(
        entry.violation('same-version', `two writes were acknowledged as version ${call.version}`, [
          before,
          call,
        ]),
      );
    }
  }
  return violations;
}

function* sightings(entry: EntryHistory): Generator<Sighting> {
  for (const call of entry.calls) {
    if (call.operation !== 'read' || call.outcome !== 'ok' || call.version === undefined) continue;
    yield { version: call.version, value: call.value ?? null, end: call.end, where: 'a read', calls: [call] };
  }
  const { row } = entry.final;
  if (row !== null) {
    yield {
      version: row.version,
      value: row.value,
      end: Number.POSITIVE_INFINITY,
      where: 'the row',
      calls: [],
    };
  }
}

function mayComeFrom(entry: EntryHistory, operation: Call['operation'], sighting: Sighting): boolean {
  return (
    entry.unknown.some((call) => call.operation === operation && call.start < sighting.end) ||
    entry.acknowledged.some((call) => call.operation === operation && mayHaveForgotten(entry, call, sighting))
  );
}

/** A write that was executed, seen, forgotten together with Redis' memory, and executed again when it was repeated. */
function mayHaveForgotten(
  entry: EntryHistory,
  { sent = 1, version, start, end }: Acknowledged,
  sighting: Sighting,
): boolean {
  return (
    sent > 1 &&
    start < sighting.end &&
    version > sighting.version &&
    !entry.lasts(sighting.version, start, end)
  );
}

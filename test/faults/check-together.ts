import {
  type Call,
  type FinalEntry,
  groupBy,
  type History,
  nameOf,
  type Value,
  type Violation,
} from './history.ts';

const END = Number.POSITIVE_INFINITY;

/**
 * Writes of one transaction: all of them happened, or none did. Once one was seen, or acknowledged, no later read of
 * another one's entry, and not its row at the end, shows what had been there before the transaction began.
 */
export function checkTogether({ calls, final }: Pick<History, 'calls' | 'final'>): readonly Violation[] {
  const groups = groupBy(calls, ({ together }) => together);
  if (groups.size === 0) return [];
  const byEntry = groupBy(calls, nameOf);
  const finals = new Map(final.map((entry) => [nameOf(entry), entry]));
  return [...groups.values()].flatMap((group) => {
    const happened = Math.min(...group.map((put) => knownAt(put, byEntry)));
    if (happened === END && !group.some((put) => inRow(put, finals))) return [];
    return group.flatMap((put) => torn(put, happened, byEntry.get(nameOf(put)) ?? [], finals));
  });
}

/** Since when it is known that `put` happened: from then on it is not news that the others did. */
function knownAt(put: Call, byEntry: ReadonlyMap<string, readonly Call[]>): number {
  if (put.outcome === 'ok') return put.end;
  const seen = byEntry
    .get(nameOf(put))
    ?.filter((call) => call.operation === 'read' && call.value === put.token);
  return Math.min(END, ...(seen ?? []).map(({ end }) => end));
}

function inRow(put: Call, finals: ReadonlyMap<string, FinalEntry>): boolean {
  return finals.get(nameOf(put))?.row?.value === put.token;
}

function torn(
  put: Call,
  happened: number,
  calls: readonly Call[],
  finals: ReadonlyMap<string, FinalEntry>,
): readonly Violation[] {
  const violation = (where: string, value: Value, shown: readonly Call[]): Violation => ({
    rule: 'half-a-transaction',
    ...{ collection: put.collection, key: put.key },
    message: `${where} ${value ?? 'nothing'}, as before the transaction ${put.together}, which happened`,
    calls: [put, ...shown],
  });
  const late = calls.filter(
    (call) => call.operation === 'read' && call.outcome === 'ok' && call.start > happened,
  );
  const reads = late
    .filter(({ value = null }) => isOlder(value, put, calls))
    .map((read) => violation('a read shows', read.value ?? null, [read]));
  const row = finals.get(nameOf(put))?.row?.value ?? null;
  return isOlder(row, put, calls) ? [...reads, violation('the row at the end is', row, [])] : reads;
}

/** Whether `value` was there before `put` was sent, and nobody can have written it since. */
function isOlder(value: Value, put: Call, calls: readonly Call[]): boolean {
  if (value === null) {
    return !calls.some(
      ({ operation, outcome, end }) => operation === 'delete' && outcome !== 'failed' && end > put.start,
    );
  }
  return calls.some(({ token, outcome, end }) => token === value && outcome === 'ok' && end < put.start);
}

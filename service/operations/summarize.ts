import type { PartitionOverview } from '../../storage/redis/overview.ts';
import type { DescribedBatch } from '../../storage/temporal/describe-batch.ts';
import type { SlotRun } from '../../storage/temporal/describe-slot.ts';
import { type Errors, newestOf, noErrors, troubleOf } from './newest-errors.ts';
import type { BatchCounts, PartitionSummary, Unknown } from './summary-types.ts';

/** A run that may hold writes, and when Temporal was known to have it, in µs since 1970: none of them is younger. */
export type WaitingRun = SlotRun & { readonly confirmedAt?: number };

/** What was found of one partition. */
export interface Findings {
  readonly partition: number;
  readonly slots: number;
  /** `undefined` where Redis could not say. */
  readonly overview: PartitionOverview | undefined;
  /** Runs in the slots, with what Temporal said last: `none` there is no such run, `undefined` not looked at yet. */
  readonly runs: readonly { readonly run: WaitingRun; readonly batch: DescribedBatch | 'none' | undefined }[];
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly unknown: readonly Unknown[];
}

/** The runs that may hold writes of a partition: those that Redis names, else whatever is in the slots. */
export function runsOf(
  partition: number,
  slots: number,
  overview: PartitionOverview | undefined,
): readonly WaitingRun[] {
  if (overview === undefined) return Array.from({ length: slots }, (_, slot) => ({ partition, slot }));
  return overview.sent.flatMap((sent) =>
    sent.state === 'confirmed'
      ? [{ partition, slot: sent.slot, runId: sent.runId, confirmedAt: sent.confirmedAt }]
      : [],
  );
}

/** What of a partition waits, from what Redis and Temporal said of it. */
export function summarizePartition(found: Findings): PartitionSummary {
  const { partition, slots, overview, now, unknown } = found;
  const counts = {
    staged: overview?.closed.length ?? 0,
    persisting: 0,
    retrying: 0,
    stuck: 0,
    releasing: 0,
    ended: 0,
    unknown: 0,
  };
  let oldest = overview?.oldestStaged ?? Number.POSITIVE_INFINITY;
  const errors = noErrors();
  let occupied = 0;
  let lost = 0;
  for (const { run, batch } of found.runs) {
    // Redis names it: it may hold writes, whoever forgot it.
    const isLost = batch === 'none' && overview !== undefined;
    if (isLost) lost += 1;
    if (batch === undefined || isLost) {
      counts.unknown += 1;
      oldest = Math.min(oldest, run.confirmedAt ?? Number.POSITIVE_INFINITY);
      continue;
    }
    // Without Redis: a slot that is free. With it: a batch whose release is on its way.
    if (batch === 'none' || (overview === undefined && batch.state === 'done')) continue;
    occupied += 1;
    counts[batch.state === 'done' ? 'releasing' : batch.state] += 1;
    if (batch.state === 'retrying' || batch.state === 'stuck' || batch.state === 'releasing') {
      errors[batch.state].push(...troubleOf(batch));
    }
    if (batch.state === 'done' || batch.state === 'releasing') continue;
    oldest = Math.min(oldest, batch.oldestVersion ?? batch.startedAt.getTime() * 1_000);
  }
  return {
    partition,
    epoch: overview?.epoch ?? null,
    draining: overview?.draining ?? null,
    pendingEntries: overview?.pendingEntries ?? null,
    stagedEntries: overview === undefined ? null : sum([overview.open, ...overview.closed], 'entries'),
    stagedBytes: overview === undefined ? null : sum([overview.open, ...overview.closed], 'bytes'),
    slots,
    slotsInUse: overview === undefined ? (counts.unknown > 0 ? null : occupied) : slots - overview.freeSlots,
    batches: counts,
    notInTemporal: lost,
    ...age(oldest, now),
    ...newestOf(errors),
    unknown: [
      ...unknown,
      ...(lost > 0 ? [{ dependency: 'temporal' as const, problem: lostInWords(lost) }] : []),
      ...(counts.unknown > lost && unknown.length === 0
        ? [
            {
              dependency: 'temporal' as const,
              problem: `${counts.unknown - lost} batches are not looked at yet`,
            },
          ]
        : []),
    ],
  };
}

function lostInWords(lost: number): string {
  const batches = lost === 1 ? '1 batch that Redis names' : `${lost} batches that Redis names`;
  return `It does not know ${batches}: check TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE.`;
}

function age(
  oldestMicros: number,
  now: number,
): Pick<PartitionSummary, 'oldestWriteAt' | 'oldestAgeSeconds'> {
  if (oldestMicros === Number.POSITIVE_INFINITY) return { oldestWriteAt: null, oldestAgeSeconds: null };
  const at = oldestMicros / 1_000;
  // Versions can be ahead of the time, where a clock was set back.
  return { oldestWriteAt: new Date(at), oldestAgeSeconds: Math.max(0, (now - at) / 1_000) };
}

function sum<Name extends string>(items: readonly Readonly<Record<Name, number>>[], name: Name): number {
  return items.reduce((total, item) => total + item[name], 0);
}

/** All partitions together: what is not known of one is not known of all. */
export function total(
  partitions: readonly PartitionSummary[],
): Omit<PartitionSummary, 'partition' | 'epoch'> {
  const add = (name: 'pendingEntries' | 'stagedEntries' | 'stagedBytes' | 'slotsInUse') =>
    partitions.reduce<number | null>(
      (all, one) => (all === null || one[name] === null ? null : all + one[name]),
      0,
    );
  const count = (state: keyof BatchCounts) =>
    partitions.reduce((all, { batches }) => all + batches[state], 0);
  const oldest = partitions
    .filter(({ oldestAgeSeconds }) => oldestAgeSeconds !== null)
    .sort((a, b) => Number(b.oldestAgeSeconds) - Number(a.oldestAgeSeconds))[0];
  const errorsOf = (state: keyof Errors) =>
    partitions.flatMap(({ newestErrors }) => newestErrors[state] ?? []);
  const reasons = new Map(
    partitions.flatMap(({ unknown }) => unknown.map((one) => [`${one.dependency} ${one.problem}`, one])),
  );
  const draining = partitions.map((one) => one.draining);
  return {
    draining: draining.includes(true) ? true : draining.includes(null) ? null : false,
    pendingEntries: add('pendingEntries'),
    stagedEntries: add('stagedEntries'),
    stagedBytes: add('stagedBytes'),
    slots: sum(partitions, 'slots'),
    slotsInUse: add('slotsInUse'),
    batches: {
      staged: count('staged'),
      persisting: count('persisting'),
      retrying: count('retrying'),
      stuck: count('stuck'),
      releasing: count('releasing'),
      ended: count('ended'),
      unknown: count('unknown'),
    },
    notInTemporal: sum(partitions, 'notInTemporal'),
    oldestWriteAt: oldest?.oldestWriteAt ?? null,
    oldestAgeSeconds: oldest?.oldestAgeSeconds ?? null,
    ...newestOf({
      retrying: errorsOf('retrying'),
      stuck: errorsOf('stuck'),
      releasing: errorsOf('releasing'),
    }),
    unknown: [...reasons.values()],
  };
}

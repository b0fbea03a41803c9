import { counted } from './format.ts';
import { LATE_S } from './verdict.ts';
import type { Batch, Summary } from './wire.ts';

/** Whether it is worth asking which batches are in trouble. */
export function anyTroubled({ batches, notInTemporal, oldestAgeSeconds }: Summary): boolean {
  return (
    batches.stuck + batches.retrying + batches.ended + notInTemporal > 0 || (oldestAgeSeconds ?? 0) >= LATE_S
  );
}

/**
 * The batches that a person should see, those with the newest error first: one that is in no trouble by its state, too, once
 * its oldest write is late. `now`: ms since 1970.
 */
export function troubled(batches: readonly Batch[], now: number): Batch[] {
  const late = ({ oldestWriteAt }: Batch) =>
    oldestWriteAt !== null && now - Date.parse(oldestWriteAt) >= LATE_S * 1_000;
  const inTrouble = (batch: Batch) =>
    batch.lastError !== null ||
    ['stuck', 'retrying', 'ended', 'unknown'].includes(batch.state) ||
    late(batch);
  const errorAt = ({ lastError }: Batch) => (lastError === null ? 0 : Date.parse(lastError.at));
  return batches
    .filter((batch) => batch.state !== 'done' && inTrouble(batch))
    .sort((a, b) => errorAt(b) - errorAt(a) || a.workflowId.localeCompare(b.workflowId));
}

/** What to say where none of the batches that were looked at is in trouble. `more`: there are others. */
export function noneInWords({ batches }: Pick<Summary, 'batches'>, more: boolean): string {
  if (more) return 'None among the first ones; there are more.';
  if (batches.staged === 0) return 'None.';
  const staged = counted(batches.staged, 'batch is', 'batches are');
  return `None has a workflow yet: ${staged} staged in Redis, until Temporal answers and a slot is free.`;
}

/**
 * The order in which to show batches while somebody is about to press a button: those that were shown stay where they are, what
 * is new comes last.
 */
export function heldOrder(shown: readonly string[], batches: readonly Batch[]): Batch[] {
  const place = new Map(shown.map((id, i) => [id, i]));
  const placeOf = ({ batchId }: Batch) => place.get(batchId) ?? Number.POSITIVE_INFINITY;
  return batches
    .map((batch, i) => ({ batch, i }))
    .sort((a, b) => {
      const [x, y] = [placeOf(a.batch), placeOf(b.batch)];
      return x === y ? a.i - b.i : x - y;
    })
    .map(({ batch }) => batch);
}

/** The collections of the batches, sorted. */
export function collectionsOf(batches: readonly Batch[]): string[] {
  return [...new Set(batches.flatMap(({ collections }) => collections ?? []))].sort();
}

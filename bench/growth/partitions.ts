import { readEnvironment } from '../../config/environment.ts';
import { MUTATION_OVERHEAD_BYTES } from '../../domain/batch.ts';

/** What Holdfast is set to by default. */
const { SLOTS, BATCH_MAX_ENTRIES, BATCH_MAX_BYTES } = readEnvironment({});

/** Reckoned for each entry beyond what the scripts count: a batch is never quite full. */
const SPARE_BYTES = 19;

/** Slots left free in each partition: for what is written during the measurement, and the last batch is rarely full. */
const SPARE_SLOTS = 4;
/** Keys are spread by a hash, which gives no two partitions the same. */
const EVENNESS = 0.97;

/** How many writes of one form a batch holds: entry ids and documents of so many bytes. */
export function entriesPerBatch(idBytes: number, documentBytes: number): number {
  const each = idBytes + documentBytes + MUTATION_OVERHEAD_BYTES + SPARE_BYTES;
  return Math.min(BATCH_MAX_ENTRIES, Math.floor(BATCH_MAX_BYTES / each));
}

/**
 * How many partitions so many writes need so that all of them are in Temporal while nobody carries them on: a partition has so
 * many slots, a slot holds one batch.
 * @throws RangeError where they are more than Holdfast can have.
 */
export function partitionsFor(writes: number, idBytes: number, documentBytes: number): number {
  const room = (SLOTS - SPARE_SLOTS) * entriesPerBatch(idBytes, documentBytes) * EVENNESS;
  const partitions = Math.ceil(writes / room);
  if (partitions > 100)
    throw new RangeError(`${writes} writes need ${partitions} partitions, 100 are possible`);
  return Math.max(1, partitions);
}

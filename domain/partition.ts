/**
 * FNV-1a over the UTF-8 bytes of an entry id. Part of the stored format: another hash would look for an entry's pending
 * writes in the wrong partition.
 */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (const byte of Buffer.from(text)) h = Math.imul(h ^ byte, 0x01000193);
  return h >>> 0;
}

/** The partition of an entry, 0 … partitions − 1. */
export function partitionOf(id: string, partitions: number): number {
  return partitions === 1 ? 0 : hash(id) % partitions;
}

/** All of so many, by number. */
export function allPartitions(partitions: number): number[] {
  return Array.from({ length: partitions }, (_, partition) => partition);
}

/** `p00`, `p01`, …: a partition in Redis keys, workflow ids and batch ids; sorts by number. */
export function partitionName(partition: number): string {
  return `p${String(partition).padStart(2, '0')}`;
}

/** `s00`, `s01`, …: a slot in workflow ids. */
export function slotName(slot: number): string {
  return `s${String(slot).padStart(2, '0')}`;
}

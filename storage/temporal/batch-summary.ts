/** The server refuses a start whose summary is longer than 400 bytes, by default. */
const MAX_COLLECTIONS = 3;

/** `37 writes · carts, page-views`, for the Web UI. Collection names come from the operator; keys and values never appear. */
export function batchSummary(batch: {
  readonly entries: number;
  /** Sorted. */
  readonly collections: readonly string[];
}): string {
  const { entries, collections } = batch;
  const named = collections.slice(0, MAX_COLLECTIONS).join(', ');
  const others = collections.length - MAX_COLLECTIONS;
  const writes = entries === 1 ? '1 write' : `${entries} writes`;
  return `${writes} · ${named}${others > 0 ? ` and ${others} more` : ''}`;
}

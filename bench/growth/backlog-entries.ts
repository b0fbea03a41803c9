import { entryId } from '../../domain/entry.ts';
import { partitionOf } from '../../domain/partition.ts';
import { documentBody } from '../document-body.ts';

/** The documents of the backlog, and of the writes beside it. */
export const BACKLOG_BYTES = 30;
const COLLECTION = 'carts';
/** The beginning of all keys of the backlog; their numbers follow. */
export const BACKLOG_PREFIX = 'backlog-';
const PROBE_PREFIX = 'probe-';

/** An entry, and its document as JSON. PostgreSQL keeps the value and not the text: a read may have other spaces. */
export interface Expected {
  readonly key: string;
  readonly text: string;
}

/** The n-th write of the backlog. */
export function backlogEntry(n: number): Expected {
  return { key: `${BACKLOG_PREFIX}${n}`, text: documentBody(n, BACKLOG_BYTES) };
}

/** The bytes of the longest entry id among so many. */
export function backlogIdBytes(writes: number): number {
  return entryId({ collection: COLLECTION, key: backlogEntry(Math.max(0, writes - 1)).key }).length;
}

/** Of each partition, the first of `make(0)`, `make(1)`, … that belongs to it. */
export function onePerPartition(partitions: number, make: (n: number) => Expected): Expected[] {
  const found: Expected[] = [];
  let missing = partitions;
  for (let n = 0; missing > 0; n += 1) {
    const entry = make(n);
    const partition = partitionOf(entryId({ collection: COLLECTION, key: entry.key }), partitions);
    if (found[partition] !== undefined) continue;
    found[partition] = entry;
    missing -= 1;
  }
  return found;
}

/** A write beside the backlog: `round` tells those of one measurement from others. */
export function probeEntry(round: string, n: number): Expected {
  return { key: `${PROBE_PREFIX}${round}-${n}`, text: documentBody(n, BACKLOG_BYTES) };
}

/** Where the API has an entry. */
export function addressOf(base: string, { key }: Expected): string {
  return `${base}/v1/collections/${COLLECTION}/entries/${key}`;
}

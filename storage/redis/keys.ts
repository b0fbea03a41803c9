import { partitionName } from '../../domain/partition.ts';

/** The Redis keys of one partition. All carry the same hash tag: every script stays in one cluster slot. */
export interface PartitionKeys {
  readonly name: string;
  readonly state: string;
  readonly open: string;
  readonly closed: string;
  readonly queue: string;
  readonly sent: string;
  readonly free: string;
  readonly index: string;
  readonly blocks: string;
  readonly records: string;
  readonly carried: string;
  readonly lock: string;
  /** What a recovery keeps aside until it ends: index, versions of the index's entries, records. */
  readonly toCome: readonly [index: string, versions: string, records: string];
  /** What the key of a cached entry begins with; the entry id follows. */
  readonly entryPrefix: string;
  /** What the key of a token for an Idempotency-Key begins with; its digest follows. */
  readonly tokenPrefix: string;
}

const made: PartitionKeys[] = [];

/** The keys of a partition, made once. */
export function partitionKeys(partition: number): PartitionKeys {
  const found = made[partition];
  if (found !== undefined) return found;
  const name = partitionName(partition);
  const base = `hf:{${name}}:`;
  const keys: PartitionKeys = {
    name,
    state: `${base}state`,
    open: `${base}open`,
    closed: `${base}closed`,
    queue: `${base}queue`,
    sent: `${base}sent`,
    free: `${base}free`,
    index: `${base}index`,
    blocks: `${base}blocks`,
    records: `${base}records`,
    carried: `${base}carried`,
    lock: `${base}lock`,
    toCome: [`${base}to-come-index`, `${base}to-come-versions`, `${base}to-come-records`],
    entryPrefix: `${base}e:`,
    tokenPrefix: `${base}t:`,
  };
  made[partition] = keys;
  return keys;
}

/** The channel on which scripts tell waiting processes of batches: `queued <batch>`, `persisted <batch> …`, `refused <batch>`. */
export const EVENTS_CHANNEL = 'hf:events';

/** What the API processes are asked for with each API key: no partition's, and no harm done where it is lost. */
export const DEMAND_KEY = 'hf:rate:demand';

import type { Generated } from 'kysely';
import type { EntryKind } from '../../domain/entry.ts';

/** `value` is read as `value::text` and written as text cast to `jsonb`: no driver may parse and round it. */
interface DocumentsTable {
  collection: string;
  key: string;
  version: number;
  value: string | null;
  deleted: boolean;
  updated_at: Generated<Date>;
}

interface CountersTable {
  collection: string;
  key: string;
  version: number;
  value: number | null;
  deleted: boolean;
  updated_at: Generated<Date>;
}

interface DeadLettersTable {
  id: Generated<number>;
  collection: string;
  key: string;
  partition: number;
  batch_id: string;
  version: number;
  kind: EntryKind;
  /** The text exactly as it was sent; `null` for a deletion. */
  value: string | null;
  /** Why PostgreSQL refused it; `null` where it was given up before it got there. */
  sqlstate: string | null;
  message: string | null;
  created_at: Generated<Date>;
  /** `dead`: may be retried. `discarded`: given up by a person, for `reason`. Both are kept: readers need them. */
  state: Generated<'dead' | 'discarded'>;
  reason: string | null;
  decided_by: string | null;
  decided_at: Date | null;
}

interface PruningTable {
  /** Always true: the table holds one row. */
  single: Generated<boolean>;
  /** The highest version of a tombstone that was removed. A late put at or below it makes no row. */
  floor: Generated<number>;
}

/** The fence of a partition (its current epoch, and the older batches that epoch adopted) and its clock. */
interface PartitionClocksTable {
  partition: number;
  /** At or above every version that was committed in this partition. Never goes down. */
  clock: Generated<number>;
  epoch: Generated<string>;
  adopted: Generated<string[]>;
  /** Until when Redis may hold older copies of entries that were written around it: microseconds since 1970. */
  around_until: Generated<number>;
}

interface RefusedBatchesTable {
  batch_id: string;
  partition: number;
  refused_at: Generated<Date>;
}

/** Of writes with an Idempotency-Key. Written once, with the write. */
interface IdempotencyRecordsTable {
  /** A digest of the entry and the key. */
  key: string;
  fingerprint: string;
  version: number;
  value: number | null;
  created: boolean | null;
  recorded_at: Generated<Date>;
}

interface TopologyTable {
  /** Always true: the table holds one row. */
  single: Generated<boolean>;
  partitions: number;
  slots: number;
  /** `null` only until the first process of a version that knows of it. */
  temporal_namespace: string | null;
}

/** Which data these are: in the names of epochs and batches. */
interface InstallationTable {
  /** Always true: the table holds one row. */
  single: Generated<boolean>;
  id: string;
}

/** The tables as Kysely sees them. 64-bit integers are JS numbers: all of ours lie within ±(2^53 − 1). */
export interface Database {
  documents: DocumentsTable;
  counters: CountersTable;
  dead_letters: DeadLettersTable;
  partition_clocks: PartitionClocksTable;
  refused_batches: RefusedBatchesTable;
  idempotency_records: IdempotencyRecordsTable;
  topology: TopologyTable;
  pruning: PruningTable;
  installation: InstallationTable;
}

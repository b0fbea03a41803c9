import type { Acknowledgement } from './acknowledgement.ts';
import type { EntryKind } from './entry.ts';

/** `write-through`: PostgreSQL first, then Redis. `write-behind`: Redis first, PostgreSQL through the queue. */
export type WriteMode = 'write-through' | 'write-behind';

export interface Collection {
  readonly name: string;
  readonly mode: WriteMode;
  readonly kind: EntryKind;
  /** The level a write waits for unless the request says otherwise. Always `persisted` for write-through. */
  readonly acknowledge: Acknowledgement;
  /** The life of a cached copy in seconds. Entries themselves do not expire. */
  readonly cacheTtlSeconds: number;
}

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
  /**
   * `latest`: a read may see a write whose acknowledgement is still under way. `durable`: it waits until what it returns is
   * at least `queued`, and nothing goes around Redis; linearizable for each entry.
   */
  readonly reads: 'latest' | 'durable';
  /** The life of a cached copy in seconds. Entries themselves do not expire. */
  readonly cacheTtlSeconds: number;
}

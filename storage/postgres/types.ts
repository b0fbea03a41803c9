import type { EntryKind, EntryRef } from '../../domain/entry.ts';
import type { Version } from '../../domain/version.ts';

/** A row as readers see it. `value` is JSON text (as `jsonb` prints it) or digits; `null` for a tombstone. */
export interface Row extends EntryRef {
  readonly kind: EntryKind;
  readonly version: Version;
  readonly value: string | null;
}

/** A mutation that PostgreSQL refused for what it holds. It was put into `dead_letters`; the rest of its batch committed. */
export interface SetAside extends EntryRef {
  readonly version: Version;
  readonly sqlstate: string;
  readonly message: string;
}

/**
 * `persisted`: every mutation is in PostgreSQL, or lost to a newer version there, or is listed in `setAside`.
 * `refused`: the batch belongs to an epoch that ended without adopting it; nothing was written.
 */
export type PersistOutcome =
  | { readonly outcome: 'persisted'; readonly setAside: readonly SetAside[] }
  | { readonly outcome: 'refused' };

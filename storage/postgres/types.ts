import type { EntryKind, EntryRef } from '../../domain/entry.ts';
import type { Version } from '../../domain/version.ts';

/** A row as readers see it. `value` is JSON text (as `jsonb` prints it) or digits; `null` for a tombstone. */
export interface Row extends EntryRef {
  readonly kind: EntryKind;
  readonly version: Version;
  readonly value: string | null;
}

/**
 * A mutation that is listed in `dead_letters`, and so not in its row: PostgreSQL refused it for what it holds, or a person
 * discarded it (then there is no SQLSTATE and no message). The rest of its batch committed.
 */
export interface SetAside extends EntryRef {
  readonly version: Version;
  readonly sqlstate: string | null;
  readonly message: string | null;
  /** This very attempt put it there. */
  readonly fresh?: true;
}

/**
 * `persisted`: every mutation is in PostgreSQL, or lost to a newer version there, or is listed in `setAside`.
 * `refused`: the batch belongs to an epoch that ended without adopting it; nothing was written.
 */
export type PersistOutcome =
  | { readonly outcome: 'persisted'; readonly setAside: readonly SetAside[] }
  | { readonly outcome: 'refused' };

import type { Acknowledgement } from '../domain/acknowledgement.ts';
import type { EntryRef } from '../domain/entry.ts';
import type { Version } from '../domain/version.ts';

/** What a write reached. `value` only for increments; `created` only where the database said so. */
export interface Receipt extends EntryRef {
  readonly version: Version;
  readonly state: Acknowledgement;
  readonly value?: number;
  readonly created?: boolean;
  /** A write with the same Idempotency-Key happened before: this is what it reached, and nothing happened now. */
  readonly replayed?: true;
}

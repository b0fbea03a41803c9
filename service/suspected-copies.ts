import type { EntryKind, EntryRef } from '../domain/entry.ts';
import type { Settled } from '../domain/merge.ts';
import { type EntryState, NEVER_WRITTEN } from '../domain/mutation.ts';
import type { Version } from '../domain/version.ts';
import { isUnreachable } from '../storage/postgres/errors.ts';
import type { Context } from './context.ts';
import type { Suspicion } from './suspicion.ts';

/** A row that is newer than the cached copy, and below which version copies of the entry are to be dropped. */
export interface NewerRow {
  readonly state: EntryState;
  readonly copyBelow: Version;
}

/** The row where it is newer than the copy; `undefined` where the copy may be returned. @throws errors of PostgreSQL. */
export type HoldAgainstRow = (
  kind: EntryKind,
  ref: EntryRef,
  copy: EntryState,
) => Promise<NewerRow | undefined>;

/**
 * Redis was out of reach a moment ago: others may have written around it, and their orders to drop older copies may still
 * be on their way. While that is suspected, a copy is held against its row; where the row cannot be read, only one that is
 * newer than all of those may be returned.
 */
export function createHoldAgainstRow(ctx: Context, suspicion: Suspicion): HoldAgainstRow {
  return async (kind, ref, copy) => {
    try {
      return newerRow(copy, await ctx.readRecord(kind, ref));
    } catch (error) {
      if (isUnreachable(error) && suspicion.writtenSince(copy.version)) return undefined;
      throw error;
    }
  };
}

/** Where there is no row, a tombstone above the copy may have been pruned, unless the copy says as well that there never was one. */
function newerRow(copy: EntryState, { row = NEVER_WRITTEN, pruneFloor }: Settled): NewerRow | undefined {
  const newer =
    row.version === 0 ? copy.version > 0 && pruneFloor > copy.version : row.version > copy.version;
  return newer ? { state: row, copyBelow: Math.max(row.version, pruneFloor) } : undefined;
}

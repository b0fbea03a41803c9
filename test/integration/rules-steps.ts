import { sql } from 'kysely';
import type { EntryKind, EntryRef } from '../../domain/entry.ts';
import type { Version } from '../../domain/version.ts';
import { type SealedBatch, sealBatch } from '../../storage/redis/seal.ts';
import { epochOf, type Part } from './rules-fixture.ts';

/** Seals the open batch of the only partition, and leaves it: as a process that dies before it offers it. @throws where there is none. */
export async function sealOnly(part: Part): Promise<SealedBatch> {
  const epoch = await epochOf(part);
  const { SLOTS: slots } = part.ctx.environment;
  const found = await sealBatch(part.ctx.redis, {
    partition: 0,
    epoch,
    slots,
    gatherMinMs: 0,
    gatherMaxMs: 0,
  });
  if (found.outcome !== 'sealed') throw new Error('nothing was sealed');
  return found.sealed;
}

/** Puts a write on record as given up, as a discard does; that alone: Redis and workflow are not told. */
export async function recordDiscard(
  { ctx }: Part,
  { collection, key }: EntryRef,
  version: Version,
  kind: EntryKind = 'document',
): Promise<void> {
  await sql`INSERT INTO dead_letters (collection, key, partition, batch_id, version, kind, value, state, reason)
    VALUES (${collection}, ${key}, 0, 'any', ${version}, ${kind}, 'null', 'discarded', 'by a test')`.execute(
    ctx.db,
  );
}

import { type Kysely, sql } from 'kysely';
import type { EntryKind } from '../../domain/entry.ts';
import type { Mutation } from '../../domain/mutation.ts';
import type { Database } from './database-types.ts';
import { refusalMessage } from './errors.ts';
import { mutationArrays } from './unnest.ts';

/** A mutation and why PostgreSQL refused it. */
export interface RefusedMutation {
  readonly mutation: Mutation;
  readonly sqlstate: string;
  readonly message: string;
}

/**
 * Writes mutations of one kind one by one, in one statement, and answers those that PostgreSQL refuses for what they hold
 * and whose rows do not have them. Sorted as for `upsertMutations`.
 * @throws errors as `pg` gave them: those that are about no single mutation, and a data error where a text holds U+0000,
 * which no statement can carry. Then nothing was written.
 */
export async function upsertEach(
  trx: Kysely<Database>,
  kind: EntryKind,
  mutations: readonly Mutation[],
): Promise<RefusedMutation[]> {
  const { rows } = await sql<{ place: number; code: string; reason: string }>`/* upsert-each */
    SELECT place, code, reason FROM holdfast_upsert_each(${kind}, ${mutationArrays(mutations)})`.execute(trx);
  return rows.flatMap(({ place, code, reason }) => {
    const mutation = mutations[place - 1];
    if (mutation === undefined) return [];
    return [{ mutation, sqlstate: code, message: refusalMessage({ code, message: reason }) }];
  });
}

import { type Kysely, sql } from 'kysely';
import { type BatchId, isForeignBatch } from '../../domain/batch.ts';
import type { Installation } from '../../domain/epoch.ts';
import type { Database } from './database-types.ts';

/** Answers which installation the data belong to: asks PostgreSQL until it has said it once. */
export interface ReadInstallation {
  (): Promise<Installation>;
  /** What PostgreSQL has said; `undefined` until then. */
  known(): Installation | undefined;
}

/** @throws (each call, until one succeeds) errors of PostgreSQL. */
export function createInstallationReader(db: Kysely<Database>): ReadInstallation {
  let known: Installation | undefined;
  async function read(): Promise<Installation> {
    known ??= await readInstallation(db);
    return known;
  }
  return Object.assign(read, { known: () => known });
}

/** A worker was given what belongs to another database. The right worker takes it at a later attempt. */
export class OtherInstallation extends Error {
  /** @param what at the beginning of a sentence: `The batch`. */
  constructor(what: string) {
    super(
      `${what} belongs to another Holdfast installation, which has the same Temporal namespace and task queue, and another database. ` +
        'Nothing of it is lost, it waits for a worker of its own. Give each installation a TEMPORAL_NAMESPACE of its own.',
    );
    this.name = 'OtherInstallation';
  }
}

/** @throws OtherInstallation where the batch certainly belongs to another one. */
export function requireOwnBatch(id: BatchId, installation: Installation): void {
  if (isForeignBatch(id, installation)) throw new OtherInstallation('The batch');
}

async function readInstallation(db: Kysely<Database>): Promise<Installation> {
  const { rows } = await sql<{ id: Installation }>`SELECT id FROM installation`.execute(db);
  const [row] = rows;
  if (row === undefined) throw new Error('the row of the table "installation" is gone');
  return row.id;
}

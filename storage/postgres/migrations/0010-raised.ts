import { type Kysely, sql } from 'kysely';

/**
 * `holdfast_upsert_each` of 0007, with one difference: a write that a trigger refuses by a plain RAISE EXCEPTION (P0001) is among
 * those that it answers. That error would end the call, and each such write would cost round trips of its own.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    CREATE OR REPLACE FUNCTION holdfast_upsert_each(
      kind text, collections text[], keys text[], versions bigint[], contents text[]
    ) RETURNS TABLE (place integer, code text, reason text)
    LANGUAGE plpgsql VOLATILE AS $$
    DECLARE
      m record;
      present boolean;
    BEGIN
      FOR m IN
        SELECT * FROM unnest(collections, keys, versions, contents) WITH ORDINALITY
          AS u (collection, key, version, content, number)
      LOOP
        BEGIN
          IF kind = 'document' THEN
            INSERT INTO documents AS t (collection, key, version, value, deleted)
            VALUES (m.collection, m.key, m.version, m.content::jsonb, m.content IS NULL)
            ON CONFLICT (collection, key) DO UPDATE SET
              version = excluded.version, value = excluded.value, deleted = excluded.deleted,
              updated_at = excluded.updated_at
            WHERE excluded.version > t.version;
          ELSE
            INSERT INTO counters AS t (collection, key, version, value, deleted)
            VALUES (m.collection, m.key, m.version, m.content::bigint, m.content IS NULL)
            ON CONFLICT (collection, key) DO UPDATE SET
              version = excluded.version, value = excluded.value, deleted = excluded.deleted,
              updated_at = excluded.updated_at
            WHERE excluded.version > t.version;
          END IF;
        EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded
          OR raise_exception THEN
          GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, reason = MESSAGE_TEXT;
          IF kind = 'document' THEN
            present := EXISTS (SELECT FROM documents AS t
              WHERE t.collection = m.collection AND t.key = m.key AND t.version >= m.version);
          ELSE
            present := EXISTS (SELECT FROM counters AS t
              WHERE t.collection = m.collection AND t.key = m.key AND t.version >= m.version);
          END IF;
          IF NOT present THEN
            place := m.number;
            RETURN NEXT;
          END IF;
        END;
      END LOOP;
    END $$`.execute(db);
}

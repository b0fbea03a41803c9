import { type Kysely, sql } from 'kysely';

/**
 * Names are compared bytewise (`COLLATE "C"`): the same order on every machine, and the one in which batches lock rows.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  // Entries are updated in place far more often than they are added. Free space in each page lets an update stay in its
  // page (HOT), which leaves the primary key index alone.
  await sql`
    CREATE TABLE documents (
      collection text COLLATE "C" NOT NULL,
      key text COLLATE "C" NOT NULL,
      version bigint NOT NULL,
      value jsonb,
      deleted boolean NOT NULL,
      updated_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (collection, key),
      CONSTRAINT documents_value_unless_deleted CHECK (deleted = (value IS NULL))
    ) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.1)`.execute(db);

  // Counters are small and hot: more room for updates, and dead rows are removed sooner.
  await sql`
    CREATE TABLE counters (
      collection text COLLATE "C" NOT NULL,
      key text COLLATE "C" NOT NULL,
      version bigint NOT NULL,
      value bigint,
      deleted boolean NOT NULL,
      updated_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (collection, key),
      CONSTRAINT counters_value_unless_deleted CHECK (deleted = (value IS NULL)),
      CONSTRAINT counters_value_is_exact CHECK (value BETWEEN -9007199254740991 AND 9007199254740991)
    ) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05)`.execute(db);

  await sql`
    CREATE TABLE dead_letters (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      collection text COLLATE "C" NOT NULL,
      key text COLLATE "C" NOT NULL,
      partition integer NOT NULL,
      batch_id text COLLATE "C" NOT NULL,
      version bigint NOT NULL,
      kind text NOT NULL CHECK (kind IN ('document', 'counter')),
      value text,
      sqlstate text NOT NULL,
      message text NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      UNIQUE (collection, key, version)
    )`.execute(db);
  await sql`CREATE INDEX dead_letters_batch_id ON dead_letters (batch_id)`.execute(db);

  // A handful of rows, each updated by every batch of its partition: a page of free space for HOT updates, and vacuum
  // by count, since a share of so few rows means nothing.
  await sql`
    CREATE TABLE partition_clocks (
      partition integer PRIMARY KEY,
      clock bigint NOT NULL DEFAULT 0,
      epoch text COLLATE "C" NOT NULL DEFAULT '0-0',
      adopted text[] NOT NULL DEFAULT '{}'
    ) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)`.execute(
    db,
  );

  await sql`
    CREATE TABLE refused_batches (
      batch_id text COLLATE "C" PRIMARY KEY,
      partition integer NOT NULL,
      refused_at timestamptz NOT NULL DEFAULT now()
    )`.execute(db);

  await sql`
    CREATE TABLE topology (
      single boolean PRIMARY KEY DEFAULT true CHECK (single),
      partitions integer NOT NULL CHECK (partitions > 0),
      slots integer NOT NULL CHECK (slots > 0)
    )`.execute(db);

  // The last thing a write-through statement does: it cannot commit after its deadline, however long it waited for
  // locks. "after" is what has to be done before; a statement gives it so that the order of evaluation is fixed.
  await sql`
    CREATE FUNCTION holdfast_refuse_after(not_after_micros bigint, after bigint) RETURNS boolean
    LANGUAGE plpgsql VOLATILE AS $$
    BEGIN
      IF extract(epoch FROM clock_timestamp()) * 1000000 > not_after_micros THEN
        RAISE EXCEPTION 'the deadline of the write has passed' USING ERRCODE = 'HF001';
      END IF;
      RETURN true;
    END $$`.execute(db);
}

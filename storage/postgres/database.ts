import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely';
import { type ClientBase, DatabaseError, Pool, type PoolClient, types } from 'pg';
import type { StoreTracing } from '../../telemetry/tracing.ts';
import type { Database } from './database-types.ts';

export interface DatabaseOptions {
  readonly url: string;
  readonly poolSize: number;
  /** Milliseconds, for each of: getting a connection, one statement, one pause inside a transaction. */
  readonly timeoutMs: number;
  /** Shown by `pg_stat_activity`. */
  readonly applicationName: string;
  readonly tracing?: StoreTracing | undefined;
}

export interface DatabaseHandle {
  readonly db: Kysely<Database>;
  /** Waits for the statements that are running, then closes every connection. */
  close(): Promise<void>;
}

/** How much later than the server's own `statement_timeout` the client gives up: only a server that hangs gets there. */
const HUNG_SERVER_MARGIN_MS = 500;

const INT8_OID = 20;

/**
 * Opens a pool; connections are made when first needed, so this itself never fails. Every wait has an end: for a
 * connection, for a statement (ended by the server, or by the client where the server hangs), and inside a transaction
 * (a process that was stopped in the middle must not hold its row locks for ever).
 */
export function createDatabase(options: DatabaseOptions): DatabaseHandle {
  const pool = new Pool({
    connectionString: options.url,
    max: options.poolSize,
    application_name: options.applicationName,
    connectionTimeoutMillis: options.timeoutMs,
    statement_timeout: options.timeoutMs,
    idle_in_transaction_session_timeout: options.timeoutMs,
    query_timeout: options.timeoutMs + HUNG_SERVER_MARGIN_MS,
    keepAlive: true,
    // The statements rely on READ COMMITTED: after waiting for a row they must see the row as it is then. None is worth being
    // compiled, which an estimate that is far off can make PostgreSQL do every time, for milliseconds.
    options: '-c default_transaction_isolation=read\\ committed -c jit=off',
    types: { getTypeParser },
    onConnect: commitForReal,
  });
  // A connection that breaks while nobody uses it (or between two statements) is dropped by the pool; without these
  // listeners the event would end the process.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool: bounded(pool, options.tracing) }) });
  return { db, close: () => db.destroy() };
}

/**
 * With `synchronous_commit=off`, set for the server, the database or the role, PostgreSQL answers before a commit is on its
 * disk, and `persisted` would be a promise that a crash breaks: then this session uses `on`. Every other value is left as it
 * is: `local`, `remote_write`, `on` and `remote_apply` all wait for this server's own disk, and what to wait for on standbys
 * is the operator's to decide.
 */
async function commitForReal(client: ClientBase): Promise<void> {
  await client.query(
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
  );
}

const getTypeParser: typeof types.getTypeParser = (oid: number, format?: 'text' | 'binary') =>
  oid === INT8_OID ? Number : types.getTypeParser(oid, format as 'text');

/**
 * The pool as Kysely uses it, with one difference: a connection on which a statement timed out or broke is never used
 * again, not even for ROLLBACK. `pg` would hand it to the next caller, who would wait behind the hung statement.
 */
function bounded(pool: Pool, tracing: StoreTracing | undefined): PostgresPool {
  return {
    connect: async () => boundedClient(await pool.connect(), tracing),
    end: () => pool.end(),
  };
}

function boundedClient(client: PoolClient, tracing: StoreTracing | undefined): PostgresPoolClient {
  let lost: Error | undefined;
  const query = async (text: string, parameters: readonly unknown[]) => {
    // The ROLLBACK that follows a lost connection fails with the same error, and so does not hide it.
    if (lost !== undefined) throw lost;
    const name = statementName(text);
    const run = () =>
      client.query({ text, values: [...parameters], ...(name === undefined ? {} : { name }) });
    try {
      if (tracing === undefined) return await run();
      const named = name ?? firstWord(text);
      return await tracing.call(`postgres ${named}`, ofStatement(named), run);
    } catch (error) {
      if (!(error instanceof DatabaseError) || error.severity === 'FATAL') lost = error as Error;
      throw error;
    }
  };
  // Kysely also declares a form for cursors, which it uses only where one is configured.
  return { query: query as unknown as PostgresPoolClient['query'], release: () => client.release(lost) };
}

/** A statement that begins with a comment of one name is prepared once per connection, under that name. */
function statementName(text: string): string | undefined {
  return /^\/\* ([a-z-]+) \*\//.exec(text)?.[1];
}

/** `SELECT`, `begin`: the text of a statement holds no values, and is too long to be a name. */
function firstWord(text: string): string {
  return /\w+/.exec(text)?.[0].toUpperCase() ?? 'statement';
}

function ofStatement(name: string) {
  return { 'db.system.name': 'postgresql', 'db.operation.name': name };
}

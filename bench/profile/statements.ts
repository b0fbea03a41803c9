import type { Client } from 'pg';
import { digits, table } from '../format.ts';

const SHOWN = 12;
const TEXT_SHOWN = 90;

interface Statement {
  readonly query: string;
  readonly calls: string;
  readonly rows: string;
  readonly ms: number;
  readonly wal: string;
}

/** Counts from now on. */
export async function watchStatements(db: Client): Promise<void> {
  await db.query('SELECT pg_stat_statements_reset()');
}

/** The statements of this connection's database by the time that they took. */
export async function statementsSection(db: Client): Promise<string> {
  const { rows } = await db.query<Statement>(
    `SELECT query, calls, rows, total_exec_time AS ms, wal_bytes AS wal
     FROM pg_stat_statements
     WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
     ORDER BY total_exec_time DESC LIMIT $1`,
    [SHOWN],
  );
  return [
    '## PostgreSQL',
    table(['statement', 'calls', 'rows each', 'ms each', 'sum ms', 'WAL bytes a row'], rows.map(line)),
  ].join('\n\n');
}

export function line({ query, calls, rows, ms, wal }: Statement): string[] {
  // In a table, one line without the character that ends a cell.
  const text = query.replace(/\s+/g, ' ').replaceAll('|', '\\|').trim();
  return [
    `\`${text.length > TEXT_SHOWN ? `${text.slice(0, TEXT_SHOWN)}…` : text}\``,
    Number(calls).toLocaleString('en-US'),
    digits(Number(rows) / Number(calls)),
    digits(ms / Number(calls)),
    digits(ms),
    Number(rows) === 0 ? '–' : digits(Number(wal) / Number(rows)),
  ];
}

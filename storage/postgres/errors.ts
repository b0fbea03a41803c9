import { DatabaseError } from 'pg';

/** Failures to reach a server, as Node.js names them. */
const SYSTEM_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EPIPE',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ENOENT',
]);

/** `pg` gives these no code. */
const DRIVER_MESSAGES =
  /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|Client was closed|Client has encountered a connection error|The server does not support SSL)/;

/**
 * Shutdown, crash and start of the server; a statement or an open transaction that took too long; a standby that takes no
 * writes, as seen during a failover.
 */
const UNREACHABLE_STATES = new Set(['57P01', '57P02', '57P03', '57P05', '57014', '25P03', '25P04', '25006']);

/** The SQLSTATE of an error of the server, also where it is the cause of another error. */
export function sqlState(error: unknown): string | undefined {
  return serverError(error)?.code;
}

/**
 * The server refused what the statement holds, and will refuse it again: classes 22 (data exception), 23 (integrity
 * constraint) and 54 (program limit: JSON too deep or too large), and P0001, which is what a trigger raises that says no and
 * names no SQLSTATE. One of its own stands for something else, which may pass.
 */
export function isDataError(error: unknown): boolean {
  return /^(22|23|54|P0001$)/.test(sqlState(error) ?? '');
}

/**
 * Will not go away by trying again soon: no such table or column, no permission (42), no such database or schema (3D,
 * 3F), wrong name or password (28), not supported (0A), damaged settings or data (F0, XX001, XX002).
 */
export function isPermanentError(error: unknown): boolean {
  return /^(42|3D|3F|28|0A|F0|XX00[12])/.test(sqlState(error) ?? '');
}

/**
 * PostgreSQL cannot be used right now: refused, reset, timed out, starting, shutting down, out of connections or of
 * another resource (08, 53, parts of 57). Whether a statement in flight took effect is then unknown.
 */
export function isUnreachable(error: unknown): boolean {
  const state = sqlState(error);
  if (state !== undefined) return /^(08|53)/.test(state) || UNREACHABLE_STATES.has(state);
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? error.code : undefined;
  if (typeof code === 'string' && SYSTEM_CODES.has(code)) return true;
  if (DRIVER_MESSAGES.test(error.message)) return true;
  if (error instanceof AggregateError && error.errors.some(isUnreachable)) return true;
  return isUnreachable(error.cause);
}

/**
 * One short line for logs and operators, without the values of a statement: PostgreSQL quotes them in `detail` and
 * `where`, which are left out, and in some messages, whose quoted parts are cut. What code in the database raises may hold
 * anything: only its SQLSTATE is told.
 */
export function describeError(error: unknown): string {
  const server = serverError(error);
  if (server !== undefined) {
    const message = isRaised(server) ? 'raised by a function in the database' : refusalMessage(server);
    return `${message} (SQLSTATE ${server.code})`;
  }
  if (error instanceof AggregateError && error.message === '') {
    return [...new Set(error.errors.map(describeError))].join('; ');
  }
  if (!(error instanceof Error)) return 'unknown error';
  const line = error.message.split('\n', 1)[0] ?? '';
  return (line === '' ? error.name : line).slice(0, 300);
}

/** Whether a trigger or another function raised it, in words of its own. Both marks are in no language. */
function isRaised({ routine, where }: DatabaseError): boolean {
  return routine === 'exec_stmt_raise' || /\bPL\//.test(where ?? '');
}

/** The server's message without anything that it quotes from a statement's values. */
export function refusalMessage(error: Pick<DatabaseError, 'code' | 'message'>): string {
  // In these classes what is quoted names tables, columns, constraints, roles or databases.
  const quotesOnlyNames = /^(08|0A|23|25|28|3D|3F|40|42501|42P01|42703|53|54|55|57)/.test(error.code ?? '');
  const line = error.message.split('\n', 1)[0] ?? '';
  const safe = quotesOnlyNames ? line : line.replace(/["“„«'‘].*["”“»'’]/u, '…').replace(/["“„«].*$/u, '…');
  return safe.slice(0, 300);
}

/** The server's own error in a chain of causes. */
export function serverError(error: unknown): (DatabaseError & { code: string }) | undefined {
  for (let e = error; e instanceof Error; e = e.cause) {
    if (e instanceof DatabaseError && e.code !== undefined) return e as DatabaseError & { code: string };
  }
  return undefined;
}

/** What the pool says where it had no connection in time: all were in use; a new one was not established. */
const WHILE_CONNECTING: ReadonlySet<string> = new Set([
  'timeout exceeded when trying to connect',
  'Connection terminated due to connection timeout',
]);

/**
 * Errors with which the server ends a statement, and takes back all of it: not supported (0A), data, constraint and
 * transaction errors (2x, 3x), serialization and deadlock, syntax and permission (42), resources such as the disk (53, 54),
 * locks and object state (55), what a function raised (P0), a statement that took too long. Beside them those of a connection
 * that never was: starting or shutting down. Not here: a crash (57P01, 57P02), broken storage (58, XX), and 40003, which says
 * that it does not know.
 */
const TAKEN_BACK = /^(0A|2|3|40001|40002|40P01|42|44|53|54|55|57014|57P03|P0)/;

/** PostgreSQL failed, as `cause` says, before what would have committed anything was sent. */
export class NothingWritten extends Error {
  constructor(cause: unknown) {
    super(describeError(cause), { cause });
    this.name = 'NothingWritten';
  }
}

/** For what waited `ms` to be sent: PostgreSQL hangs, or is far too slow. */
export function waitedTooLong(ms: number): NothingWritten {
  const waited = new Error(`PostgreSQL did not answer those before it for ${ms} ms; this was not sent`);
  return new NothingWritten(Object.assign(waited, { code: 'ETIMEDOUT' }));
}

/**
 * The statement certainly had no effect: no connection could be had for it, or the server answered with an error that takes
 * it back. Where a connection broke or fell silent after the statement was sent, this is false: it may have committed.
 */
export function didNotHappen(error: unknown): boolean {
  if (error instanceof NothingWritten) return true;
  const server = serverError(error);
  // A trigger may raise any SQLSTATE. Whatever ends one comes before the commit, deferred triggers included.
  if (server !== undefined) return TAKEN_BACK.test(server.code) || isRaised(server);
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? error.code : undefined;
  if (code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'EHOSTUNREACH' || code === 'ENOENT')
    return true;
  if (WHILE_CONNECTING.has(error.message)) return true;
  return error instanceof AggregateError ? error.errors.every(didNotHappen) : didNotHappen(error.cause);
}

import type { Acknowledgement } from '../../domain/acknowledgement.ts';
import type { Call, Operation } from './history.ts';
import type { HttpAnswer } from './http-client.ts';

type Observed = Pick<Call, 'outcome' | 'code'> &
  Partial<Pick<Call, 'version' | 'level' | 'value' | 'detail'>>;

/** The code of a call that no process ever saw. */
export const NEVER_REACHED = 'ECONNREFUSED';
/** There was no answer long after the request's own deadline. */
export const NO_ANSWER = 'TIMEOUT';
/** The process ended the connection, or went away with it. */
export const CUT_OFF: readonly string[] = ['ECONNRESET', 'EPIPE'];

/** What the documented answers say about a write that got them. Everything else leaves it open whether it happened. */
const CERTAINLY_NOT = new Set([
  'dependency-unavailable',
  'queue-full',
  'overloaded',
  'precondition-failed',
  'counter-overflow',
  'value-too-large',
  'collection-not-found',
  'unsupported-media-type',
]);

/** Reads an answer as docs/http.md has it. */
export function observe(operation: Operation, answer: HttpAnswer): Observed {
  if ('error' in answer) {
    const harmless = operation === 'read' || answer.error === NEVER_REACHED;
    return { outcome: harmless ? 'failed' : 'unknown', code: answer.error };
  }
  const { status, body } = answer;
  if (status === 200 || status === 201 || status === 202) {
    return operation === 'read' ? readOf(answer) : receiptOf(status, body);
  }
  const { code, detail } = problemOf(body);
  if (operation === 'read' && code === 'entry-not-found') return { outcome: 'ok', code: '404', value: null };
  // 400 is also the answer of a write that was accepted and that PostgreSQL refused later: it was visible until then.
  const failed = operation === 'read' || CERTAINLY_NOT.has(code);
  return { outcome: failed ? 'failed' : 'unknown', code: `${status} ${code}`, detail };
}

function readOf(answer: Extract<HttpAnswer, { status: number }>): Observed {
  const version = Number(/^"(\d+)"$/.exec(answer.etag ?? '')?.[1]);
  return { outcome: 'ok', code: String(answer.status), version, value: asValue(JSON.parse(answer.body)) };
}

function receiptOf(status: number, body: string): Observed {
  const receipt = JSON.parse(body) as { version: number; state: Acknowledgement; value?: number };
  return {
    outcome: 'ok',
    code: String(status),
    version: receipt.version,
    level: receipt.state,
    ...(receipt.value === undefined ? {} : { value: receipt.value }),
  };
}

/** A document's token, or a counter's number; any other value is told apart by its text. */
export function asValue(json: unknown): string | number {
  if (typeof json === 'number') return json;
  const token = (json as { token?: unknown } | null)?.token;
  return typeof token === 'string' ? token : JSON.stringify(json);
}

function problemOf(body: string): { code: string; detail: string } {
  try {
    const { code, detail } = JSON.parse(body) as { code?: unknown; detail?: unknown };
    return { code: String(code), detail: String(detail) };
  } catch {
    return { code: 'no-problem-details', detail: body.slice(0, 200) };
  }
}

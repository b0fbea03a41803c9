import type { Acknowledgement } from '../../domain/acknowledgement.ts';
import type { Call, Operation } from './history.ts';
import type { HttpAnswer } from './http-client.ts';

type Observed = Pick<Call, 'outcome' | 'code'> &
  Partial<Pick<Call, 'version' | 'level' | 'value' | 'detail' | 'withoutRedis'>>;

/** The code of a call that no process ever saw. */
export const NEVER_REACHED = 'ECONNREFUSED';
/** There was no answer long after the request's own deadline. */
export const NO_ANSWER = 'TIMEOUT';
/** The process ended the connection, or went away with it. */
export const CUT_OFF: readonly string[] = ['ECONNRESET', 'EPIPE'];
/** Of a patch of what is not there. */
export const NOT_THERE = '404 entry-not-found';

/** What the documented answers say about a write that got them. Everything else leaves it open whether it happened. */
const CERTAINLY_NOT = new Set([
  'dependency-unavailable',
  'queue-full',
  'draining',
  'overloaded',
  'precondition-failed',
  'counter-overflow',
  'value-too-large',
  'entry-not-found',
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
  const { code, detail, dependency } = problemOf(body);
  if (operation === 'read' && code === 'entry-not-found') return { outcome: 'ok', code: '404', value: null };
  // 400 is also the answer of a write that was accepted and that PostgreSQL refused later: it was visible until then.
  const failed = operation === 'read' || CERTAINLY_NOT.has(code);
  const withoutRedis = dependency === 'redis' ? ({ withoutRedis: true } as const) : {};
  return { outcome: failed ? 'failed' : 'unknown', code: `${status} ${code}`, detail, ...withoutRedis };
}

function readOf(answer: Extract<HttpAnswer, { status: number }>): Observed {
  const version = Number(/^"(\d+)"$/.exec(answer.etag ?? '')?.[1]);
  const degraded = answer.cacheStatus?.includes('detail=degraded') === true;
  return {
    ...{ outcome: 'ok', code: String(answer.status), version, value: asValue(JSON.parse(answer.body)) },
    ...(degraded ? { withoutRedis: true } : {}),
  };
}

function receiptOf(status: number, body: string): Observed {
  const receipt = JSON.parse(body) as { version: number; state: Acknowledgement; value?: number };
  return {
    outcome: 'ok',
    code: String(status),
    version: receipt.version,
    level: receipt.state,
    // Versions of writes that went around Redis are odd.
    ...(receipt.version % 2 === 1 ? { withoutRedis: true } : {}),
    ...(receipt.value === undefined ? {} : { value: receipt.value }),
  };
}

/** A document's token, or a counter's number; any other value is told apart by its text. */
export function asValue(json: unknown): string | number {
  if (typeof json === 'number') return json;
  const token = (json as { token?: unknown } | null)?.token;
  return typeof token === 'string' ? token : JSON.stringify(json);
}

function problemOf(body: string): { code: string; detail: string; dependency?: unknown } {
  try {
    const { code, detail, dependency } = JSON.parse(body) as Record<string, unknown>;
    return { code: String(code), detail: String(detail), dependency };
  } catch {
    return { code: 'no-problem-details', detail: body.slice(0, 200) };
  }
}

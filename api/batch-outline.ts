import { HoldfastError } from '../domain/errors.ts';
import { endOfValue, isObjectAt, walkElements, walkMembers } from '../domain/json-parts.ts';
import { skipSpace } from '../domain/json-token.ts';
import { type BodyProblem, pointer } from './json-body.ts';
import { COUNTER_RANGE, counterInteger } from './json-value.ts';

/**
 * The body as JSON.parse gives it, but for two members of an operation: `value` is its text, and `by` is looked at as text,
 * since `1.0` and `1e3` would come out as integers.
 * Neither it nor its mistakes grow with the body: one of 4 MiB can hold more than a million operations.
 * @throws HoldfastError invalid-request at the first operation past `maxOperations`.
 */
export function outline(text: string, maxOperations: number, problems: BodyProblem[]): unknown {
  const start = skipSpace(text, 0);
  if (!isObjectAt(text, start)) return plain(text.slice(start));
  const body: Members = Object.create(null);
  walkMembers(text, start, ({ name, valueStart }) => {
    if (name === 'operations' && text[valueStart] === '[') {
      const operations: unknown[] = [];
      body[name] = operations;
      return walkElements(text, valueStart, (element, index) => {
        if (index >= maxOperations) {
          throw malformedBatch([{ path: '/operations', message: `must not be more than ${maxOperations}` }]);
        }
        if (isObjectAt(text, element)) return addOperation(text, element, index, operations, problems);
        return addPlain(text, element, operations, index);
      });
    }
    return addPlain(text, valueStart, body, name);
  });
  return body;
}

/** Without a prototype: no name of a member means anything else. */
type Members = Record<string, unknown>;

/** Adds an operation, and answers where it ends. */
function addOperation(
  text: string,
  start: number,
  index: number,
  operations: unknown[],
  problems: BodyProblem[],
): number {
  const operation: Members = Object.create(null);
  operations[index] = operation;
  return walkMembers(text, start, ({ name, valueStart }) => {
    if (name !== 'value' && name !== 'by') return addPlain(text, valueStart, operation, name);
    const valueEnd = endOfValue(text, valueStart);
    const part = text.slice(valueStart, valueEnd);
    if (name === 'value') {
      operation[name] = part;
      return valueEnd;
    }
    const by = counterInteger(part);
    if (by === undefined) {
      problems.push({ path: pointer(['operations', index, 'by']), message: `must be ${COUNTER_RANGE}` });
    }
    operation[name] = by ?? 0;
    return valueEnd;
  });
}

/** Adds a value that is no list and no object, and answers where it ends. */
function addPlain<K extends PropertyKey>(
  text: string,
  start: number,
  to: Record<K, unknown>,
  name: K,
): number {
  const end = endOfValue(text, start);
  to[name] = plain(text.slice(start, end));
  return end;
}

/** As JSON.parse gives it, but empty where it is a list or an object: neither may be here, and the complaint needs no more. */
function plain(text: string): unknown {
  if (text.startsWith('[')) return [];
  if (text.startsWith('{')) return {};
  return text.startsWith('"') && !text.includes('\\') && text.endsWith('"')
    ? text.slice(1, -1)
    : JSON.parse(text);
}

export function malformedBatch(errors: readonly BodyProblem[]): HoldfastError {
  return new HoldfastError(
    'invalid-request',
    'The batch is not what this path takes. Nothing of it was written.',
    { errors },
  );
}

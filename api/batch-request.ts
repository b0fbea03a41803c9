import type { z } from 'zod';
import type { Collections } from '../config/collections.ts';
import type { Collection } from '../domain/collection.ts';
import { entryId } from '../domain/entry.ts';
import { HoldfastError } from '../domain/errors.ts';
import { fitsWrittenOut } from '../domain/json-compact.ts';
import { endOfValue, isObjectAt, walkElements, walkMembers } from '../domain/json-parts.ts';
import { MAX_JSON_DEPTH } from '../domain/json-text.ts';
import { skipSpace } from '../domain/json-token.ts';
import type { BatchOperation } from '../service/batch-operation.ts';
import { type BodyProblem, pointer, problemsOf } from './json-body.ts';
import { COUNTER_RANGE, counterInteger, requireJsonText } from './json-value.ts';
import { batchRequest } from './schemas/batch.ts';

/** How deep a value lies in the body: the body, its list, the operation. */
const VALUE_DEPTH = 3;

export interface BatchRequest {
  readonly operations: readonly BatchOperation[];
  readonly atomic: boolean;
}

export interface BatchLimits {
  readonly MAX_BATCH_OPERATIONS: number;
  readonly MAX_VALUE_BYTES: number;
}

/** How large a value may be, and by how much all of the body may grow. */
interface Size {
  readonly maxBytes: number;
  readonly growth: number;
}

interface Problems {
  readonly wrong: BodyProblem[];
  readonly tooLarge: BodyProblem[];
}

/**
 * The operations of a batch. Values are cut out of the body as text: JSON.parse would round their numbers.
 * @param requireWrite throws where the caller may not write a collection: before it learns whether there is one.
 * @throws HoldfastError invalid-request that names all that is wrong, or value-too-large: nothing was done.
 */
export function readBatch(
  text: string,
  collections: Collections,
  limits: BatchLimits,
  requireWrite: (collection: string) => void,
): BatchRequest {
  const growth = requireJsonText(text, { maxDepth: MAX_JSON_DEPTH + VALUE_DEPTH });
  const size = { growth, maxBytes: limits.MAX_VALUE_BYTES };
  const wrong: BodyProblem[] = [];
  const tooLarge: BodyProblem[] = [];
  const parsed = batchRequest.safeParse(outline(text, wrong));
  if (!parsed.success) throw malformed([...problemsOf(parsed.error).map(missingValue), ...wrong]);
  const { operations, atomic = false } = parsed.data;
  for (const { collection } of operations) requireWrite(collection);
  if (operations.length > limits.MAX_BATCH_OPERATIONS) {
    wrong.push({ path: '/operations', message: `must not be more than ${limits.MAX_BATCH_OPERATIONS}` });
  }
  if (atomic) requireAtomic(operations, collections, wrong);
  const read = operations.map((operation, index) =>
    operationOf(operation, index, collections, size, { wrong, tooLarge }),
  );
  if (wrong.length > 0) throw malformed([...wrong, ...tooLarge]);
  if (tooLarge.length > 0) {
    const detail = `A value may have ${limits.MAX_VALUE_BYTES} bytes, as it was sent and with its numbers written out. Nothing of the batch was written.`;
    throw new HoldfastError('value-too-large', detail, { errors: tooLarge });
  }
  return { operations: read.filter((operation) => operation !== undefined), atomic };
}

/** Every text passes for a value, so the schema can complain of one only where there is none. */
function missingValue(problem: BodyProblem): BodyProblem {
  const missing = /^\/operations\/\d+\/value$/.test(problem.path) && problem.message === 'Invalid input';
  return missing ? { ...problem, message: 'must be given' } : problem;
}

type Sent = z.output<typeof batchRequest>['operations'][number];

/** One transaction holds what is decided in the database, and has one verdict for each entry. */
function requireAtomic(operations: readonly Sent[], collections: Collections, wrong: BodyProblem[]): void {
  const first = new Map<string, number>();
  for (const [index, operation] of operations.entries()) {
    if (collections.get(operation.collection)?.mode === 'write-behind') {
      const message = 'is written behind: an atomic batch takes only collections that are written through';
      wrong.push({ path: `/operations/${index}/collection`, message });
    }
    const id = entryId(operation);
    const earlier = first.get(id);
    if (earlier === undefined) {
      first.set(id, index);
      continue;
    }
    const message = `is that of operation ${earlier}: an atomic batch takes one operation of each entry`;
    wrong.push({ path: `/operations/${index}/key`, message });
  }
}

/** `undefined` where something is wrong with it. */
function operationOf(
  sent: Sent,
  index: number,
  collections: Collections,
  size: Size,
  { wrong, tooLarge }: Problems,
): BatchOperation | undefined {
  const path = `/operations/${index}`;
  const collection = collections.get(sent.collection);
  if (collection === undefined) {
    const message = 'is not configured; GET /v1/collections lists those that are';
    wrong.push({ path: `${path}/collection`, message });
    return undefined;
  }
  const { key, ifMatch } = sent;
  const common = { collection, key, condition: ifMatch === undefined ? undefined : { ifVersion: ifMatch } };
  if (sent.op === 'delete') return { op: 'delete', ...common };
  if (sent.op === 'increment') {
    if (collection.kind === 'counter') return { op: 'increment', ...common, by: sent.by ?? 1 };
    wrong.push({ path: `${path}/op`, message: 'can be "increment" only in a collection of counters' });
    return undefined;
  }
  // The outline holds the text of a value, whatever the value is.
  const value = storable(sent.value as string, collection, size);
  if (value.outcome === 'kept') return { op: 'put', ...common, value: value.text };
  if (value.outcome === 'too-large') tooLarge.push({ path: `${path}/value`, message: 'is too large' });
  else wrong.push({ path: `${path}/value`, message: `must be ${COUNTER_RANGE}` });
  return undefined;
}

type Storable =
  | { readonly outcome: 'kept'; readonly text: string }
  | { readonly outcome: 'no-integer' | 'too-large' };

function storable(text: string, { kind }: Collection, { growth, maxBytes }: Size): Storable {
  if (kind === 'counter') {
    const value = counterInteger(text);
    return value === undefined ? { outcome: 'no-integer' } : { outcome: 'kept', text: String(value) };
  }
  return fitsWrittenOut(text, growth, maxBytes) ? { outcome: 'kept', text } : { outcome: 'too-large' };
}

/**
 * The body as JSON.parse gives it, but for two members of an operation: `value` is its text, and `by` is looked at as text,
 * since `1.0` and `1e3` would come out as integers.
 */
function outline(text: string, problems: BodyProblem[]): unknown {
  const start = skipSpace(text, 0);
  if (!isObjectAt(text, start)) return JSON.parse(text);
  const body: Members = Object.create(null);
  walkMembers(text, start, ({ name, valueStart }) => {
    if (name === 'operations' && text[valueStart] === '[') {
      const operations: unknown[] = [];
      body[name] = operations;
      return walkElements(text, valueStart, (element, index) => {
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

/** Adds a value as JSON.parse gives it, and answers where it ends. */
function addPlain<K extends PropertyKey>(
  text: string,
  start: number,
  to: Record<K, unknown>,
  name: K,
): number {
  const end = endOfValue(text, start);
  const part = text.slice(start, end);
  to[name] = part.startsWith('"') && !part.includes('\\') ? part.slice(1, -1) : JSON.parse(part);
  return end;
}

function malformed(errors: readonly BodyProblem[]): HoldfastError {
  return new HoldfastError(
    'invalid-request',
    'The batch is not what this path takes. Nothing of it was written.',
    { errors },
  );
}

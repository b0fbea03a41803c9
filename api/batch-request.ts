import type { z } from 'zod';
import type { Collections } from '../config/collections.ts';
import type { Collection } from '../domain/collection.ts';
import { entryId } from '../domain/entry.ts';
import { HoldfastError } from '../domain/errors.ts';
import { fitsWrittenOut } from '../domain/json-compact.ts';
import { MAX_JSON_DEPTH } from '../domain/json-text.ts';
import type { BatchOperation } from '../service/batch-operation.ts';
import { malformedBatch, outline } from './batch-outline.ts';
import { type BodyProblem, problemsOf } from './json-body.ts';
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
 * @throws HoldfastError invalid-request that names what is wrong, or value-too-large: nothing was done.
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
  const parsed = batchRequest.safeParse(outline(text, limits.MAX_BATCH_OPERATIONS, wrong));
  if (!parsed.success) throw malformedBatch([...problemsOf(parsed.error).map(missingValue), ...wrong]);
  const { operations, atomic = false } = parsed.data;
  for (const { collection } of operations) requireWrite(collection);
  if (atomic) requireAtomic(operations, collections, wrong);
  const read = operations.map((operation, index) =>
    operationOf(operation, index, collections, size, { wrong, tooLarge }),
  );
  if (wrong.length > 0) throw malformedBatch([...wrong, ...tooLarge]);
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

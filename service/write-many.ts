import type { Logger } from 'pino';
import type { Collection } from '../domain/collection.ts';
import { entryId } from '../domain/entry.ts';
import { HoldfastError } from '../domain/errors.ts';
import type { BatchOperation } from './batch-operation.ts';
import { pause, remainingMs } from './deadline.ts';
import type { Holdfast, WriteOptions } from './holdfast.ts';
import type { Receipt } from './receipt.ts';
import type { StageMany } from './stage-many.ts';
import { mistake } from './trouble.ts';

/**
 * Entries that are written at once for one request. Those written behind share scripts and group commit, the more the
 * better; one written through takes a connection to PostgreSQL, of which other requests need some, too.
 */
const AT_ONCE = { 'write-behind': 200, 'write-through': 8 } as const;

type Writer = Pick<Holdfast, 'put' | 'delete' | 'increment'>;

/**
 * Many writes, each for itself. Those of one entry keep their order: each begins once the one before it has its version, or
 * has failed; they wait for their levels together. Entries that are written behind and only once are staged together; all
 * others go through the same use cases as a request of its own.
 */
export function createWriteMany(
  writer: Writer,
  stageMany: StageMany,
  log: Pick<Logger, 'error'>,
): (operations: readonly BatchOperation[], options: WriteOptions) => Promise<(Receipt | HoldfastError)[]> {
  function perform(operation: BatchOperation, options: WriteOptions): Promise<Receipt> {
    const { collection, key } = operation;
    switch (operation.op) {
      case 'put':
        return writer.put(collection, key, operation.value, options);
      case 'delete':
        return writer.delete(collection, key, options);
      case 'increment':
        return writer.increment(collection, key, operation.by, options);
    }
  }

  async function outcomeOf(
    operation: BatchOperation,
    options: WriteOptions,
  ): Promise<Receipt | HoldfastError> {
    try {
      // It may have waited for others: no script is worth sending that nobody will hear of.
      if (remainingMs(options.deadlineAt) <= 0) await pause(0, options.deadlineAt);
      return await perform(operation, options);
    } catch (error) {
      return mistake(log, error);
    }
  }

  /** `indices`: of operations on one entry, in order. */
  async function oneByOne(
    operations: readonly BatchOperation[],
    indices: readonly number[],
    options: WriteOptions,
    results: (Receipt | HoldfastError)[],
  ): Promise<void> {
    const waiting: Promise<void>[] = [];
    let doubtful = false;
    for (const index of indices) {
      const operation = operations[index];
      if (operation === undefined) continue;
      if (doubtful) {
        results[index] = notTried();
        continue;
      }
      const { promise: ordered, resolve: onOrdered } = deferred();
      const { condition, idempotency } = operation;
      const done = outcomeOf(operation, { ...options, condition, idempotency, onOrdered }).then((result) => {
        results[index] = result;
        // A script that nobody heard of may still run, after what would follow here.
        if (result instanceof HoldfastError && result.code === 'outcome-unknown') doubtful = true;
      });
      waiting.push(done);
      await Promise.race([ordered, done]);
    }
    await Promise.all(waiting);
  }

  /** Does what can be staged together; answers which indices are left. */
  async function together(
    operations: readonly BatchOperation[],
    indices: readonly number[],
    options: WriteOptions,
    results: (Receipt | HoldfastError)[],
  ): Promise<number[]> {
    const some = indices.flatMap((index) => operations[index] ?? []);
    const staged = await stageMany(some, options);
    return indices.filter((index, i) => {
      const result = staged[i];
      if (result !== undefined) results[index] = result;
      return result === undefined;
    });
  }

  return async (operations, options) => {
    const results: (Receipt | HoldfastError)[] = [];
    const modes = {
      'write-behind': new Map<string, number[]>(),
      'write-through': new Map<string, number[]>(),
    };
    operations.forEach(({ collection, key }, index) => {
      const id = entryId({ collection: collection.name, key });
      const group = modes[collection.mode].get(id);
      if (group === undefined) modes[collection.mode].set(id, [index]);
      else group.push(index);
    });
    const apart = (mode: Collection['mode'], entries: readonly (readonly number[])[]) =>
      inLanes(entries, AT_ONCE[mode], (indices) => oneByOne(operations, indices, options, results));
    const simple: number[] = [];
    const others: (readonly number[])[] = [];
    for (const indices of modes['write-behind'].values()) {
      if (isSimple(operations, indices)) simple.push(...indices);
      else others.push(indices);
    }
    const atOnce = async () => {
      const left = await together(operations, simple, options, results);
      const alone = left.map((index) => [index]);
      await apart('write-behind', alone);
    };
    await Promise.all([
      atOnce(),
      apart('write-behind', others),
      apart('write-through', [...modes['write-through'].values()]),
    ]);
    return results;
  };
}

/** The entry's only operation, and nothing has to be found out before it. */
function isSimple(operations: readonly BatchOperation[], [index, another]: readonly number[]): boolean {
  if (index === undefined || another !== undefined) return false;
  const { condition, idempotency } = operations[index] ?? {};
  return condition === undefined && idempotency === undefined;
}

async function inLanes<T>(
  items: readonly T[],
  lanes: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async () => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(lanes, items.length) }, lane));
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

function notTried(): HoldfastError {
  return new HoldfastError(
    'dependency-unavailable',
    'It is not known whether an earlier operation of this batch on the same entry happened, so this one was not tried. It did not happen.',
    { retryAfterSeconds: 1 },
  );
}

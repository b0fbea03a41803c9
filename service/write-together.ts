import { crashPoint } from '../config/crash-points.ts';
import { entryId } from '../domain/entry.ts';
import { type ErrorDetails, HoldfastError } from '../domain/errors.ts';
import { partitionOf } from '../domain/partition.ts';
import {
  commitTogether,
  type TogetherOutcome,
  type WriteTogether,
} from '../storage/postgres/commit-together.ts';
import { describeError } from '../storage/postgres/errors.ts';
import type { VoidTicket } from '../storage/redis/write-through.ts';
import type { BatchOperation } from './batch-operation.ts';
import { commitInTime, nothingHappened, refusal } from './commit-work.ts';
import type { Context } from './context.ts';
import { remainingMs } from './deadline.ts';
import type { Epochs } from './epochs.ts';
import type { RequestOptions } from './holdfast.ts';
import type { Receipt } from './receipt.ts';
import { replayedReceipt } from './replay.ts';
import { outcomeUnknown, unavailable } from './trouble.ts';
import type { WriteThrough } from './write-through.ts';

/** Each further try needs another writer that was faster. */
const TRIES = 5;
/** The server's answer that a lock was waited for in vain comes so much earlier than the request gives up. */
const LOCK_MARGIN_MS = 250;

interface Placed {
  readonly operation: BatchOperation;
  readonly ref: { readonly collection: string; readonly key: string };
  readonly partition: number;
}

/**
 * Several writes of write-through collections, all or none: each entry is voided as for a write of its own, one transaction
 * commits them under the versions that gave, and each is settled. A crash in between leaves misses, never a stale hit.
 *
 * Not without Redis: around it, the versions and the orders to drop older copies of all entries would have to be made at
 * one moment for several partitions; a batch that can wait is better off with `503`.
 */
export function createWriteTogether(
  ctx: Context,
  { epochs, through }: { readonly epochs: Epochs; readonly through: WriteThrough },
): (operations: readonly BatchOperation[], options: RequestOptions) => Promise<Receipt[]> {
  const { PARTITIONS, POSTGRES_TIMEOUT_MS } = ctx.environment;

  /** Ends the blocks. `versions`: of rows, which the clock must be above. */
  async function release(
    placed: readonly Placed[],
    tickets: readonly (VoidTicket | undefined)[],
    versions: readonly number[] = [],
  ): Promise<void> {
    await Promise.all(
      placed.map(async ({ operation: { collection, key }, partition }, i) => {
        const ticket = tickets[i];
        if (ticket === undefined) return;
        const version = Math.max(ticket.version, versions[i] ?? 0);
        await through.settle(collection, key, partition, { token: ticket.token, version }, null, false);
      }),
    );
  }

  async function voidAll(placed: readonly Placed[], deadlineAt: number): Promise<VoidTicket[]> {
    const taken = await Promise.allSettled(
      placed.map(({ operation, ref, partition }) =>
        through.take(partition, operation.collection, ref, deadlineAt),
      ),
    );
    const tickets = taken.map((one) =>
      one.status === 'fulfilled' && one.value !== 'go-around' ? one.value : undefined,
    );
    const failed = taken.find((one) => one.status === 'rejected');
    const complete = tickets.filter((ticket) => ticket !== undefined);
    if (complete.length === placed.length) {
      placed.forEach(({ partition }, i) => {
        epochs.noteVersion(partition, complete[i]?.version ?? 0);
      });
      return complete;
    }
    await release(placed, tickets);
    throw failed?.reason ?? withoutRedis();
  }

  /** Sets the copies. */
  async function settle(
    placed: readonly Placed[],
    tickets: readonly VoidTicket[],
    { written }: Extract<TogetherOutcome, { outcome: 'committed' }>,
  ): Promise<void> {
    await Promise.all(
      placed.map(async ({ operation, partition }, i) => {
        const ticket = tickets[i];
        if (ticket === undefined) return;
        const { collection, key } = operation;
        const value = cachedValue(operation, written[i]?.value);
        await through.settle(collection, key, partition, ticket, value, true);
      }),
    );
  }

  return async (operations, { deadlineAt }) => {
    const placed = operations.map((operation): Placed => {
      const ref = { collection: operation.collection.name, key: operation.key };
      return { operation, ref, partition: partitionOf(entryId(ref), PARTITIONS) };
    });
    for (let tries = 1; ; tries++) {
      const tickets = await voidAll(placed, deadlineAt);
      crashPoint('after-voids');
      const budgetMs = Math.min(POSTGRES_TIMEOUT_MS, remainingMs(deadlineAt));
      const takenAt = Math.min(...tickets.map((ticket) => ticket.takenAt));
      let result: TogetherOutcome;
      try {
        const committing = commitTogether(ctx.db, {
          writes: placed.map((one, i) => writeOf(one, tickets[i]?.version ?? 0)),
          notAfterMicros: Math.floor(takenAt + budgetMs * 1_000),
          waitUntil: performance.now() + budgetMs - LOCK_MARGIN_MS,
        });
        result = await commitInTime(ctx, committing, deadlineAt, async (late) => {
          if (late.outcome === 'committed') await settle(placed, tickets, late);
          else await release(placed, tickets);
        });
      } catch (error) {
        if (nothingHappened(error)) {
          await release(placed, tickets);
          throw unavailable(error);
        }
        // Fills stay blocked until the transaction can no longer commit; then readers see what became of it.
        throw outcomeUnknown(
          `PostgreSQL did not confirm the commit (${describeError(error)}): all operations happened, or none did.`,
          error,
        );
      }
      if (result.outcome === 'committed') {
        crashPoint('after-commit-together');
        await settle(placed, tickets, result);
        const { written } = result;
        return placed.map(({ ref }, i) => {
          const { created = false, value } = written[i] ?? {};
          const version = tickets[i]?.version ?? 0;
          const receipt = { ...ref, version, state: 'persisted', created } as const;
          return value === undefined ? receipt : { ...receipt, value };
        });
      }
      if (result.outcome === 'repeated') {
        await release(placed, tickets);
        return result.records.flatMap((record, i) => {
          const one = placed[i];
          return one === undefined ? [] : [replayedReceipt(one.ref, record, one.operation)];
        });
      }
      const versions = result.outcome === 'superseded' ? result.versions : [];
      await release(placed, tickets, versions);
      if (result.outcome === 'superseded' && tries < TRIES && remainingMs(deadlineAt) > 0) continue;
      throw failure(result);
    }
  };
}

function writeOf({ operation, ref, partition }: Placed, version: number): WriteTogether {
  const { kind } = operation.collection;
  const write = {
    ...ref,
    kind,
    version,
    partition,
    condition: operation.condition,
    idempotency: operation.idempotency,
  };
  if (operation.op === 'increment') return { ...write, by: operation.by };
  return { ...write, value: operation.op === 'put' ? operation.value : null };
}

function cachedValue(operation: BatchOperation, value: number | undefined): string | null {
  if (operation.op === 'put') return operation.value;
  return operation.op === 'delete' ? null : String(value);
}

/** Why nothing was written, and which operation is the reason where it is one. */
function failure(result: Exclude<TogetherOutcome, { outcome: 'committed' | 'repeated' }>): unknown {
  switch (result.outcome) {
    case 'failed':
      return unavailable(result.error);
    case 'precondition-failed':
      return ofOperation(refusal(result), result.index, 'ifMatch', { currentVersion: result.version });
    case 'overflow':
      return ofOperation(refusal(result), result.index, 'by');
    case 'superseded':
      return refusal({ outcome: 'superseded', version: Math.max(...result.versions) });
    case 'overtaken':
      return refusal({ outcome: 'superseded', version: 0 });
    case 'too-late':
      return refusal(result);
  }
}

function ofOperation(
  error: HoldfastError,
  index: number,
  member: string,
  details: ErrorDetails = {},
): HoldfastError {
  const message = `Operation ${index} stopped the batch, and nothing of it was written: ${error.message}`;
  const path = `/operations/${index}/${member}`;
  return new HoldfastError(error.code, message, { ...details, errors: [{ path, message: error.message }] });
}

function withoutRedis(): HoldfastError {
  return new HoldfastError(
    'dependency-unavailable',
    'Redis cannot be reached, and an atomic batch does not go around it. Nothing of it was written. Send the operations as single writes, or try again later.',
    { dependency: 'redis', retryAfterSeconds: 1 },
  );
}

import type { BatchId } from '../../domain/batch.ts';
import type { Version } from '../../domain/version.ts';
import { number, partsOf, statusOf, text } from './reply.ts';
import type { Answer } from './together.ts';

/** What became of a write. */
export type StageOutcome =
  | {
      readonly outcome: 'staged';
      readonly version: Version;
      readonly batchId: BatchId;
      readonly value?: number;
    }
  /** Redis' time was past `notAfter`. Nothing happened. */
  | { readonly outcome: 'late' }
  /** Too many batches wait. Nothing happened. */
  | { readonly outcome: 'full' }
  /** An operator lets the queue empty. Nothing happened. */
  | { readonly outcome: 'draining' }
  /** The script needs the entry in the cache: fill it and try again. */
  | { readonly outcome: 'miss' }
  /** The condition does not hold; 0 where the entry does not exist. */
  | { readonly outcome: 'condition'; readonly version: Version }
  | { readonly outcome: 'overflow' }
  /** A write with this Idempotency-Key happened before, and its batch is not released yet. Nothing happened now. */
  | {
      readonly outcome: 'replay';
      readonly fingerprint: string;
      readonly version: Version;
      readonly batchId: BatchId;
      /** Whether Temporal has the batch. */
      readonly queued: boolean;
      /** Of a counter after an increment. */
      readonly value?: number;
    }
  /** Redis has no record of the Idempotency-Key: ask PostgreSQL, then try again with this token. Nothing happened. */
  | { readonly outcome: 'check'; readonly token: string };

/**
 * The answer of scripts/stage.lua to one write, read. `openBatch`: the batch that a write without a batch of its own is in.
 * @throws EpochChanged
 */
export function stageOutcome(answer: Answer, openBatch: BatchId): StageOutcome {
  if (typeof answer === 'number') return { outcome: 'staged', version: answer, batchId: openBatch };
  const reply = partsOf(answer);
  const status = statusOf(reply);
  switch (status) {
    case 'ok': {
      const staged = { outcome: 'staged', version: number(reply, 1), batchId: text(reply, 2) } as const;
      return reply.length > 3 ? { ...staged, value: Number(text(reply, 3)) } : staged;
    }
    case 'condition':
      return { outcome: 'condition', version: number(reply, 1) };
    case 'replay': {
      const value = text(reply, 3);
      return {
        outcome: 'replay',
        fingerprint: text(reply, 1),
        version: number(reply, 2),
        ...(value === '' ? {} : { value: Number(value) }),
        batchId: text(reply, 4),
        queued: text(reply, 5) === '1',
      };
    }
    case 'check':
      return { outcome: 'check', token: text(reply, 1) };
    case 'late':
    case 'full':
    case 'draining':
    case 'miss':
    case 'overflow':
      return { outcome: status };
    default:
      throw new TypeError(`Redis script: unknown answer ${status}`);
  }
}

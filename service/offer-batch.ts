import { setTimeout as sleep } from 'node:timers/promises';
import { crashPoint } from '../config/crash-points.ts';
import { slotWorkflowId } from '../config/temporal-names.ts';
import { entryId } from '../domain/entry.ts';
import { oldestPacked, packedBytes, packedCount } from '../domain/packed-mutations.ts';
import { persistAndReport, secondsSince } from '../storage/postgres/persist-and-report.ts';
import { confirmBatch } from '../storage/redis/confirm.ts';
import { EpochChanged } from '../storage/redis/errors.ts';
import { releaseBatch } from '../storage/redis/release.ts';
import { reslotBatch, type SealedBatch } from '../storage/redis/seal.ts';
import { isTemporalUnreachable } from '../storage/temporal/errors.ts';
import { type StartOutcome, startBatch } from '../storage/temporal/start-batch.ts';
import type { Context } from './context.ts';
import { createTemporalWatch } from './temporal-watch.ts';
import type { Waiters } from './waiters.ts';

const RETRY_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
const CONFIRM_TRIES = 20;

export interface Offers {
  /**
   * Carries a sealed batch to Temporal, or past it: starts its workflow and confirms, or, while Temporal is out of reach for
   * longer than the limit, persists it directly. Never throws: what could not be done is adopted later, by any process.
   */
  offer(sealed: SealedBatch): Promise<void>;
  /** Ends what waits for its next try: the process is on its way down, and others adopt what it leaves. */
  stop(): void;
}

export function createOffers(ctx: Context, waiters: Waiters): Offers {
  const temporal = createTemporalWatch(ctx);
  const stopping = new AbortController();
  const wait = (ms: number) => sleep(ms, undefined, { signal: stopping.signal });

  /** What Temporal said, or that it was not reached, or refuses the batch. */
  async function tryStart(
    sealed: SealedBatch,
    slot: number,
  ): Promise<StartOutcome | 'unreachable' | 'refused'> {
    const sealedAt = new Date(sealed.offeredAt / 1_000).toISOString();
    try {
      return await temporal.attempt((deadlineMs) =>
        startBatch(ctx.temporal, { batch: sealed.batch, slot, sealedAt, deadlineMs }),
      );
    } catch (error) {
      if (isTemporalUnreachable(error)) return 'unreachable';
      ctx.log.error(
        { err: error, ...named(sealed) },
        'Temporal refuses a batch for what it is: persisting it directly',
      );
      return 'refused';
    }
  }

  async function start(sealed: SealedBatch): Promise<'done' | 'persist-directly'> {
    let slot = sealed.slot;
    for (;;) {
      if (temporal.rests()) return 'persist-directly';
      crashPoint('before-start');
      const started = await tryStart(sealed, slot);
      if (started === 'refused') return 'persist-directly';
      if (started === 'unreachable') {
        if (temporal.givenUp()) return 'persist-directly';
        await wait(RETRY_MS);
        continue;
      }
      if (started.outcome === 'started') {
        crashPoint('after-start');
        reportQueued(sealed);
        await confirm(sealed, slot, started.runId);
        return 'done';
      }
      const other = await reslotBatch(ctx.redis, sealed.batch, slot);
      if (other === 'gone' || other === 'full') return 'done';
      slot = other.slot;
    }
  }

  function reportQueued({ batch }: SealedBatch): void {
    ctx.metrics.queued({
      entries: packedCount(batch.packed),
      bytes: packedBytes(batch.packed),
      seconds: secondsSince(oldestPacked(batch.packed), ctx.redis.estimatedTime()),
    });
  }

  async function confirm(sealed: SealedBatch, slot: number, runId: string): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await confirmBatch(ctx.redis, sealed.batch, slot, runId);
        crashPoint('after-confirm');
        waiters.tell(sealed.batch.id, { event: 'queued' });
        return;
      } catch (error) {
        // Of another epoch: whether that one knows the batch, the waiters ask themselves.
        if (error instanceof EpochChanged || tries >= CONFIRM_TRIES) throw error;
        await wait(RETRY_MS);
      }
    }
  }

  /** By the very code the activity uses. A double delivery is harmless: the highest version wins. */
  async function persistDirectly(sealed: SealedBatch): Promise<void> {
    const { batch } = sealed;
    const outcome = await persistAndReport(ctx.db, batch, { via: 'direct', metrics: ctx.metrics });
    crashPoint('after-direct-persist');
    const setAside = outcome.outcome === 'persisted' ? outcome.setAside : [];
    const release = {
      batchId: batch.id,
      partition: batch.partition,
      entries: batch.mutations,
      setAside,
      outcome: outcome.outcome,
    };
    if (outcome.outcome === 'refused') waiters.tell(batch.id, { event: 'unknown' });
    let epoch: string | undefined = batch.epoch;
    // Part of the batch, so without an end but that of the process: then the next one adopts the batch and comes to this.
    for (let pauseMs = RETRY_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        await releaseBatch(ctx.redis, { ...release, epoch });
        // Acknowledged only where the release succeeded in the batch's own epoch.
        if (epoch !== undefined && outcome.outcome === 'persisted') {
          waiters.tell(batch.id, { event: 'persisted', setAside: new Set(setAside.map(entryId)) });
        }
        return;
      } catch (error) {
        if (error instanceof EpochChanged && epoch !== undefined) {
          waiters.tell(batch.id, { event: 'unknown' });
          epoch = undefined;
        }
        await wait(pauseMs);
      }
    }
  }

  async function carry(sealed: SealedBatch): Promise<void> {
    if ((await start(sealed)) === 'persist-directly') await persistDirectly(sealed);
  }

  return {
    async offer(sealed) {
      const { id, partition, packed } = sealed.batch;
      const about = { 'holdfast.partition': partition, 'holdfast.entries': packedCount(packed) };
      try {
        await (ctx.tracing?.batch(id, about, () => carry(sealed)) ?? carry(sealed));
      } catch (error) {
        if (stopping.signal.aborted) return;
        if (error instanceof EpochChanged) {
          ctx.log.info(
            named(sealed),
            'Redis was restarted or recovered while the batch was on its way; the recovery decides about it',
          );
          return;
        }
        ctx.log.warn(
          { err: error, ...named(sealed) },
          'a batch could not be queued; it stays in Redis and is offered again',
        );
      }
    },
    stop: () => stopping.abort(),
  };
}

/** How a log line names a batch: with the workflow it was meant for. */
function named({ batch, slot }: SealedBatch) {
  return { batchId: batch.id, workflowId: slotWorkflowId(batch.partition, slot) };
}

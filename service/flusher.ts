import { crashPoint } from '../config/crash-points.ts';
import { slotWorkflowId } from '../config/temporal-names.ts';
import type { BatchId } from '../domain/batch.ts';
import { parseBatchId } from '../domain/batch.ts';
import { epochNumber } from '../domain/epoch.ts';
import { adoptBatch, sealBatch } from '../storage/redis/seal.ts';
import type { Context } from './context.ts';
import type { Epochs } from './epochs.ts';
import type { Offers } from './offer-batch.ts';
import type { Waiters } from './waiters.ts';

/** How often each process looks for batches that nobody flushes: another's process may have died. */
const ROUND_MS = 1_000;
/**
 * Writers who were answered together often write again at once. Without a wait for them two crowds take turns, each waiting
 * for the other's start, and every start carries half of what it could. So the next batch waits until as many have come,
 * but no longer than this part of the time that the last start took.
 */
const COMPANY_SHARE = 0.5;
/** Nor longer than this, however slow Temporal is. */
const COMPANY_MAX_MS = 50;
/** No slot is free: how soon to look again. A release that is heard of wakes the flusher at once. */
const FULL_PAUSE_MS = 250;

interface PartitionFlusher {
  running: boolean;
  /** A batch was closed, or a slot became free, while it ran. */
  again: boolean;
  /** Somebody who waits staged a write while it ran: of no account where the batch gathers on purpose. */
  asked: boolean;
  timer: NodeJS.Timeout | undefined;
  /** When the timer fires, and whether the open batch gathers on purpose until then. */
  timerAt: number;
  gathering: boolean;
  /** The latest batch that this process staged into: a later one means that it was closed. */
  openBatch: BatchId | undefined;
  /** The next batch is sealed when so many writes wait to be queued, at the latest when its time is over. */
  expected: { readonly writes: number; arrived(): void } | undefined;
}

export interface Flusher {
  /** A write was staged. `waits`: somebody waits for it to be queued. */
  staged(partition: number, batchId: BatchId, waits: boolean): void;
  /** A slot may have become free. */
  wake(partition: number): void;
  /**
   * Offers what waits, up to the last batch that this process staged into, and nothing of a partition into which it staged
   * nothing: a process that ends must not chase what others go on staging. Answers whether all of that was offered before
   * the deadline.
   */
  flush(deadlineAt: number): Promise<boolean>;
  /** The same for one partition, up to `last`, whoever staged into it. @throws as {@link Epochs.use}. */
  flushThrough(partition: number, last: BatchId, deadlineAt: number): Promise<boolean>;
  stop(): void;
}

/**
 * Seals batches and offers them to Temporal, one start in flight for each partition and process: batches grow while one
 * is under way (group commit). Waiting writes are flushed at once, others after the flush interval.
 */
export function createFlusher(ctx: Context, epochs: Epochs, offers: Offers, waiters: Waiters): Flusher {
  const { PARTITIONS, SLOTS, FLUSH_INTERVAL_MS, GATHER_MAX_MS, ADOPT_AFTER_MS, REQUEST_DEADLINE_MS } =
    ctx.environment;
  const partitions = Array.from(
    { length: PARTITIONS },
    (): PartitionFlusher => ({
      running: false,
      again: false,
      asked: false,
      timer: undefined,
      timerAt: 0,
      gathering: false,
      openBatch: undefined,
      expected: undefined,
    }),
  );
  // Whoever staged a write wakes it, and it goes on for many others.
  const detached = ctx.tracing?.detached ?? (<T>(work: () => T) => work());
  let stopped = false;
  let lastTrouble = 0;

  function note(error: unknown, partition: number): void {
    // The same trouble comes back every round: one line in a while is enough.
    if (performance.now() - lastTrouble < 5_000) return;
    lastTrouble = performance.now();
    ctx.log.warn({ err: error, partition }, 'staged writes cannot be flushed right now; they stay in Redis');
  }

  function schedule(partition: number, state: PartitionFlusher, ms: number, gathering: boolean): void {
    const at = performance.now() + ms;
    if (state.timer !== undefined) {
      if (state.timerAt <= at) return;
      clearTimeout(state.timer);
    }
    state.timerAt = at;
    state.gathering = gathering;
    state.timer = setTimeout(() => {
      state.timer = undefined;
      state.gathering = false;
      run(partition);
    }, ms);
    state.timer.unref();
  }

  function run(partition: number): void {
    const state = partitions[partition];
    if (state === undefined || stopped) return;
    if (state.running) {
      state.again = true;
      return;
    }
    state.running = true;
    state.again = false;
    state.asked = false;
    detached(() => drain(partition, state))
      .catch((error: unknown) => {
        note(error, partition);
        schedule(partition, state, ROUND_MS, false);
      })
      .finally(() => {
        state.running = false;
        if (state.again || (state.asked && !state.gathering)) run(partition);
      });
  }

  async function drain(partition: number, state: PartitionFlusher): Promise<void> {
    for (;;) {
      const waiting = waiters.waitingForQueue(partition) > 0;
      const sealed = await epochs.use(partition, performance.now() + REQUEST_DEADLINE_MS, (epoch) =>
        sealBatch(ctx.redis, {
          partition,
          epoch,
          slots: SLOTS,
          gatherMinMs: waiting ? 0 : FLUSH_INTERVAL_MS,
          gatherMaxMs: GATHER_MAX_MS,
        }),
      );
      if (sealed.outcome === 'none') return;
      if (sealed.outcome === 'wait') {
        // Redis says when: an earlier look would find the same.
        clearTimeout(state.timer);
        state.timer = undefined;
        return schedule(partition, state, sealed.ms, waiting);
      }
      if (sealed.outcome === 'full') return schedule(partition, state, FULL_PAUSE_MS, waiting);
      crashPoint('after-seal');
      // The answers to its last writes may have come together with this one: they have their turn first.
      await new Promise((resolve) => setImmediate(resolve));
      const crowd = waiters.writesOf(sealed.sealed.batch.id).length;
      const began = performance.now();
      await offers.offer(sealed.sealed);
      // A batch that is closed can get no more company.
      if (crowd > 1 && sealed.left === 0) {
        const ms = Math.min((performance.now() - began) * COMPANY_SHARE, COMPANY_MAX_MS);
        await company(state, waiters.waitingForQueue(partition) + crowd, ms);
      }
    }
  }

  /** Waits until so many writes of the partition wait to be queued, or the time is over. */
  async function company(state: PartitionFlusher, writes: number, ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      state.expected = {
        writes,
        arrived() {
          clearTimeout(timer);
          resolve();
        },
      };
    });
    state.expected = undefined;
  }

  async function adopt(partition: number): Promise<void> {
    for (;;) {
      const sealed = await epochs.use(partition, performance.now() + REQUEST_DEADLINE_MS, (epoch) =>
        adoptBatch(ctx.redis, { partition, epoch, olderThanMs: ADOPT_AFTER_MS }),
      );
      if (sealed === undefined) return;
      ctx.log.info(
        { batchId: sealed.batch.id, workflowId: slotWorkflowId(partition, sealed.slot) },
        'offering a batch again that was sealed and never confirmed',
      );
      ctx.metrics.rescued('batch-adopted');
      await offers.offer(sealed);
    }
  }

  async function flushThrough(partition: number, last: BatchId, deadlineAt: number): Promise<boolean> {
    while (performance.now() < deadlineAt) {
      const sealed = await epochs.use(partition, deadlineAt, (epoch) =>
        sealBatch(ctx.redis, { partition, epoch, slots: SLOTS, gatherMinMs: 0, gatherMaxMs: 0 }),
      );
      if (sealed.outcome !== 'sealed') return sealed.outcome !== 'full';
      await offers.offer(sealed.sealed);
      if (isThrough(sealed.sealed.batch.id, sealed.left, last)) return true;
    }
    return false;
  }

  const adopting = new Set<number>();
  const rounds = setInterval(() => {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      run(partition);
      if (adopting.has(partition)) continue;
      adopting.add(partition);
      adopt(partition)
        .catch((error: unknown) => note(error, partition))
        .finally(() => adopting.delete(partition));
    }
  }, ROUND_MS);
  rounds.unref();

  return {
    staged(partition, batchId, waits) {
      const state = partitions[partition];
      if (state === undefined) return;
      // A repeated answer may be about a batch that was closed long ago.
      const later = state.openBatch === undefined || isLater(batchId, state.openBatch);
      const closedOne = later && state.openBatch !== undefined && (parseBatchId(batchId)?.number ?? 0) > 0;
      if (later) state.openBatch = batchId;
      if (state.expected !== undefined && waiters.waitingForQueue(partition) >= state.expected.writes) {
        state.expected.arrived();
      }
      if (state.running && (waits || closedOne)) {
        state.again ||= closedOne;
        state.asked = true;
      } else if (closedOne || (waits && !state.gathering)) {
        run(partition);
      } else if (!state.gathering) {
        // Also while it runs: its last look may have been just before this write. While it gathers, a timer is set already.
        schedule(partition, state, FLUSH_INTERVAL_MS, false);
      }
    },
    wake(partition) {
      run(partition);
    },
    flushThrough,
    async flush(deadlineAt) {
      let left = false;
      for (const [partition, { openBatch }] of partitions.entries()) {
        if (openBatch === undefined) continue;
        if (!(await flushThrough(partition, openBatch, deadlineAt))) left = true;
        if (performance.now() >= deadlineAt) return false;
      }
      return !left;
    },
    stop() {
      stopped = true;
      clearInterval(rounds);
      for (const state of partitions) clearTimeout(state.timer);
    },
  };
}

/** Whether one batch of a partition opened after another: numbers grow within an epoch, and an epoch's with each recovery. */
function isLater(batchId: BatchId, other: BatchId): boolean {
  const [one, two] = [parseBatchId(batchId), parseBatchId(other)];
  if (one === undefined || two === undefined) return false;
  return one.epoch === two.epoch ? one.number > two.number : epochNumber(one.epoch) > epochNumber(two.epoch);
}

/**
 * Whether everything up to `last` was sealed once this one is. Batches are sealed in the order of their numbers. What survived
 * from an older epoch has other names, but is closed: once nothing closed is left, it was sealed, too.
 */
function isThrough(batchId: BatchId, left: number, last: BatchId): boolean {
  if (parseBatchId(batchId)?.epoch !== parseBatchId(last)?.epoch) return left === 0;
  return !isLater(last, batchId);
}

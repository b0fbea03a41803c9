import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import type { WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { vi } from 'vitest';
import type { PersistResult } from '../../activities/create-activities.ts';
import {
  PRUNE_TOMBSTONES_WORKFLOW,
  RECONCILE_INDEX_WORKFLOW,
  REPAIR_CACHE_WORKFLOW,
  slotWorkflowId,
} from '../../config/temporal-names.ts';
import { startBatch } from '../../storage/temporal/start-batch.ts';
import type { BatchState, StatusAnswer } from '../../workflows/messages.ts';
import { batch, createQueue, SEALED_AT, type TestQueue } from '../integration/temporal-queue.ts';
import { PERSISTED } from '../workflow/fake-activities.ts';
import { type History, historyToJson } from './history-json.ts';

/** Where the histories are, each named after the path that the batch took. */
export const HISTORIES = new URL('./histories/', import.meta.url);

/** What the activities do, for one recording. */
interface Scene {
  persist: () => PersistResult;
  release: () => void;
}

interface Recording {
  readonly name: string;
  readonly scene: () => Scene;
  readonly act: (handle: WorkflowHandle, scene: Scene) => Promise<unknown>;
  readonly beforeWorker?: (handle: WorkflowHandle) => void;
}

const down = (): never => {
  throw ApplicationFailure.retryable('connection refused', 'unreachable');
};
const forbidden = () => {
  throw ApplicationFailure.nonRetryable('no such table (SQLSTATE 42P01)', 'permanent');
};
const up = () => PERSISTED;
const nothing = () => {};

async function reaches(handle: WorkflowHandle, state: BatchState): Promise<void> {
  await vi.waitFor(
    async () => {
      const status = await handle.query<StatusAnswer>('status');
      if (status.state !== state) throw new Error(`still ${status.state}`);
    },
    { timeout: 20_000, interval: 50 },
  );
}

const discard = (handle: WorkflowHandle, ...ids: string[]) =>
  handle.executeUpdate('discard', { args: [{ ids, reason: 'recorded' }] });

const RECORDINGS: readonly Recording[] = [
  {
    name: 'persisted-at-once',
    scene: () => ({ persist: up, release: nothing }),
    act: (handle) => handle.result(),
  },
  {
    name: 'persisted-with-a-dead-letter',
    scene: () => ({
      persist: () => ({ outcome: 'persisted', setAside: [{ collection: 'carts', key: 'a', version: 2 }] }),
      release: nothing,
    }),
    act: (handle) => handle.result(),
  },
  {
    name: 'refused',
    scene: () => ({ persist: () => ({ outcome: 'refused', setAside: [] }), release: nothing }),
    act: (handle) => handle.result(),
  },
  {
    name: 'outage-then-retry-now',
    scene: () => ({ persist: down, release: nothing }),
    async act(handle, scene) {
      await reaches(handle, 'retrying');
      scene.persist = up;
      await handle.executeUpdate('retryNow');
      await handle.result();
    },
  },
  {
    name: 'stuck-then-retry-now',
    scene: () => ({ persist: forbidden, release: nothing }),
    async act(handle, scene) {
      await reaches(handle, 'stuck');
      scene.persist = up;
      await handle.executeUpdate('retryNow');
      await handle.result();
    },
  },
  {
    name: 'discarded-in-part',
    scene: () => ({ persist: down, release: nothing }),
    async act(handle, scene) {
      await reaches(handle, 'retrying');
      await discard(handle, 'carts/a');
      scene.persist = up;
      await handle.result();
    },
  },
  {
    name: 'discarded-altogether',
    scene: () => ({ persist: forbidden, release: nothing }),
    async act(handle) {
      await reaches(handle, 'stuck');
      await discard(handle, 'carts/a', 'carts/b/c', 'page-views/home');
      await handle.result();
    },
  },
  {
    name: 'discarded-before-the-first-task',
    scene: () => ({ persist: up, release: nothing }),
    beforeWorker: (handle) => void discard(handle, 'carts/a').catch(() => {}),
    act: (handle) => handle.result(),
  },
  {
    name: 'release-retried',
    scene: () => ({ persist: up, release: down }),
    async act(handle, scene) {
      await reaches(handle, 'releasing');
      scene.release = nothing;
      await handle.result();
    },
  },
  {
    name: 'cancel-requested',
    scene: () => ({ persist: down, release: nothing }),
    async act(handle, scene) {
      await reaches(handle, 'retrying');
      await handle.cancel();
      scene.persist = up;
      await handle.result();
    },
  },
  // From here on batches start with search attributes, and change them.
  {
    name: 'attributes-untouched',
    scene: () => ({ persist: up, release: nothing }),
    act: (handle) => handle.result(),
  },
  {
    name: 'attributes-through-an-outage',
    scene: () => ({ persist: down, release: nothing }),
    async act(handle, scene) {
      await reaches(handle, 'retrying');
      scene.persist = up;
      await handle.result();
    },
  },
  {
    name: 'attributes-stuck-then-retry-now',
    scene: () => ({ persist: forbidden, release: down }),
    async act(handle, scene) {
      await reaches(handle, 'stuck');
      scene.persist = up;
      await handle.executeUpdate('retryNow');
      await reaches(handle, 'releasing');
      scene.release = nothing;
      await handle.result();
    },
  },
];

/** Of batches of format 3: those of formats 1 and 2, which older code started, have the bare names. */
const packedName = ({ name }: Recording) => `packed-${name}`;

/** Names of this machine and process say nothing about the workflow. */
function anonymous(value: unknown, key?: string): unknown {
  if (key === 'identity') return 'recorded';
  if (Array.isArray(value)) return value.map((item) => anonymous(item));
  if (typeof value !== 'object' || value === null) return value;
  const object = value as Record<string, unknown>;
  if (object.kind === 'TASK_QUEUE_KIND_STICKY') return { ...object, name: 'recorded-sticky' };
  return Object.fromEntries(Object.entries(object).map(([name, item]) => [name, anonymous(item, name)]));
}

function write(name: string, history: History): void {
  const json = anonymous(historyToJson(history));
  writeFileSync(new URL(`${name}.json`, HISTORIES), `${JSON.stringify(json, undefined, 1)}\n`);
}

async function record(queue: TestQueue, slot: number, recording: Recording): Promise<void> {
  const { temporal } = queue;
  await startBatch(temporal, { batch: batch(slot), slot, sealedAt: SEALED_AT, deadlineMs: 10_000 });
  const handle = temporal.client.workflow.getHandle(slotWorkflowId(0, slot));
  const scene = recording.scene();
  recording.beforeWorker?.(handle);
  await queue.withWorker(
    { persistBatch: async () => scene.persist(), releaseBatch: async () => scene.release() },
    () => recording.act(handle, scene),
  );
  write(packedName(recording), await handle.fetchHistory());
}

/** The workflows beside the batch's. Their first attempt fails, the second succeeds. */
const OTHERS: readonly { readonly name: string; readonly type: string; readonly args: readonly unknown[] }[] =
  [
    {
      name: 'cache-repaired',
      type: REPAIR_CACHE_WORKFLOW,
      // Soon, but not yet: a timer is part of it.
      args: [{ format: 1, partition: 0, entries: [{ collection: 'carts', key: 'a', version: 3 }] }],
    },
    {
      name: 'cache-repaired-twice',
      type: REPAIR_CACHE_WORKFLOW,
      args: [
        {
          ...{ format: 1, partition: 0, entries: [{ collection: 'carts', key: 'a', version: 3 }] },
          ...{ delayMs: 1_000, againMs: 1_000 },
        },
      ],
    },
    { name: 'tombstones-pruned', type: PRUNE_TOMBSTONES_WORKFLOW, args: [] },
    { name: 'index-reconciled', type: RECONCILE_INDEX_WORKFLOW, args: [] },
  ];

async function recordOther(queue: TestQueue, { name, type, args }: (typeof OTHERS)[number]): Promise<void> {
  const { client, taskQueue } = queue.temporal;
  const soon = args.map((arg) => ({ ...(arg as object), notBefore: Date.now() + 3_000 }));
  const handle = await client.workflow.start(type, { workflowId: name, taskQueue, args: soon });
  let failures = 0;
  const attempt = async <T>(result: T): Promise<T> => {
    if (failures++ === 0) down();
    return result;
  };
  const counted = { partitions: 1, batches: 2, released: 0, queuedAgain: 1, forgotten: 0, skipped: [] };
  const fakes = {
    invalidateEntries: () => attempt(undefined),
    pruneTombstones: () => attempt({ pruned: 3, floor: 7 }),
    reconcileIndex: () => attempt(counted),
  };
  await queue.withWorker(fakes, () => handle.result());
  write(name, await handle.fetchHistory());
}

/**
 * Runs every path once against the shared dev server and writes down its history, unless it was recorded before: what an
 * older version wrote is worth more than what this one would.
 */
export async function recordHistories(): Promise<void> {
  mkdirSync(HISTORIES, { recursive: true });
  const missing = (name: string) => !existsSync(new URL(`${name}.json`, HISTORIES));
  const queue = await createQueue();
  try {
    for (const [slot, recording] of RECORDINGS.entries()) {
      if (missing(packedName(recording))) await record(queue, slot, recording);
    }
    for (const other of OTHERS.filter(({ name }) => missing(name))) await recordOther(queue, other);
  } finally {
    await queue.close();
  }
}

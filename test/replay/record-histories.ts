import { mkdirSync, writeFileSync } from 'node:fs';
import type { WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { vi } from 'vitest';
import type { PersistResult } from '../../activities/create-activities.ts';
import { slotWorkflowId } from '../../config/temporal-names.ts';
import { startBatch } from '../../storage/temporal/start-batch.ts';
import type { BatchState, StatusAnswer } from '../../workflows/messages.ts';
import { batch, createQueue, SEALED_AT, type TestQueue } from '../integration/temporal-queue.ts';
import { PERSISTED } from '../workflow/harness.ts';
import { historyToJson } from './history-json.ts';

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

const down = () => {
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
];

/** Names of this machine and process say nothing about the workflow. */
function anonymous(value: unknown, key?: string): unknown {
  if (key === 'identity') return 'recorded';
  if (Array.isArray(value)) return value.map((item) => anonymous(item));
  if (typeof value !== 'object' || value === null) return value;
  const object = value as Record<string, unknown>;
  if (object.kind === 'TASK_QUEUE_KIND_STICKY') return { ...object, name: 'recorded-sticky' };
  return Object.fromEntries(Object.entries(object).map(([name, item]) => [name, anonymous(item, name)]));
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
  const json = anonymous(historyToJson(await handle.fetchHistory()));
  writeFileSync(new URL(`${recording.name}.json`, HISTORIES), `${JSON.stringify(json, undefined, 1)}\n`);
}

/** Runs every path once against the shared dev server and writes down its history, in place of what was there. */
export async function recordHistories(): Promise<void> {
  mkdirSync(HISTORIES, { recursive: true });
  const queue = await createQueue();
  try {
    for (const [slot, recording] of RECORDINGS.entries()) await record(queue, slot, recording);
  } finally {
    await queue.close();
  }
}

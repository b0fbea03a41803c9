import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { WorkflowHandle } from '@temporalio/client';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import {
  bundleWorkflowCode,
  type LogLevel,
  Runtime,
  Worker,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import { vi } from 'vitest';
import { WRITE_BEHIND_WORKFLOW } from '../../config/temporal-names.ts';
import type { Mutation } from '../../domain/mutation.ts';
import { packMutations } from '../../domain/packed-mutations.ts';
import type { BatchInput, StatusAnswer } from '../../workflows/messages.ts';
import type { writeBehind } from '../../workflows/write-behind.ts';
import { timeSkippingServer } from '../support/services.ts';
import { type FakeActivities, fakeActivities } from './fake-activities.ts';

export type BatchHandle = WorkflowHandle<typeof writeBehind>;

export interface Harness {
  readonly environment: TestWorkflowEnvironment;
  /** Starts the batch and a worker, and runs `test` while the worker runs. */
  run<T>(
    fakes: Partial<FakeActivities>,
    test: (handle: BatchHandle) => Promise<T>,
    options?: RunOptions,
  ): Promise<T>;
  close(): Promise<void>;
}

export interface RunOptions {
  /** Default: as they are given now. */
  readonly args?: Parameters<typeof writeBehind>;
  /** Runs after the start and before the worker. */
  readonly beforeWorker?: (handle: BatchHandle) => Promise<void>;
}

export const MUTATIONS: readonly Mutation[] = [
  { collection: 'carts', key: 'a', kind: 'document', version: 2, value: '{"n":1}' },
  { collection: 'carts', key: 'b/c', kind: 'document', version: 4, value: null },
  { collection: 'page-views', key: 'home', kind: 'counter', version: 6, value: '12' },
];

export const INPUT = {
  batchId: '1-abc.p00.7',
  partition: 0,
  slot: 3,
  epoch: '1-abc',
  sealedAt: '2026-11-23T10:00:00.000Z',
  summary: '3 writes · carts, page-views',
};

/** The arguments of a batch workflow in the form that a version of ours gave them. */
function argumentsOf(format: BatchInput['format']): Parameters<typeof writeBehind> {
  return format === 3
    ? [{ ...INPUT, format }, packMutations(MUTATIONS)]
    : [{ ...INPUT, format, mutations: MUTATIONS }];
}

let bundle: Promise<WorkflowBundleWithSourceMap> | undefined;

/** The workflow code of this checkout, bundled once per test process. */
export function workflowBundle(): Promise<WorkflowBundleWithSourceMap> {
  bundle ??= bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../../workflows/index.ts', import.meta.url)),
    logger: quietLogger(),
  });
  return bundle;
}

function quietLogger() {
  const level = process.env.HOLDFAST_TEST_LOG === undefined ? () => {} : console.error;
  const log = (_level: LogLevel, message: string, meta?: unknown) => level(message, meta);
  return { log, trace: () => {}, debug: () => {}, info: () => {}, warn: level, error: level };
}

/** Failing activities are the point of these tests: their log lines would bury a real failure. */
export function installQuietRuntime(): void {
  Runtime.install({
    logger: quietLogger(),
    telemetryOptions: { logging: { filter: { core: 'ERROR' }, forward: {} } },
  });
}

/** @param format of the batches that it starts. */
export async function createHarness(format: BatchInput['format'] = 3): Promise<Harness> {
  installQuietRuntime();
  const environment = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'existing-path', path: await timeSkippingServer() } },
  });
  return {
    environment,
    async run(fakes, test, { args = argumentsOf(format), beforeWorker } = {}) {
      const taskQueue = `test-${randomUUID()}`;
      const handle = await environment.client.workflow.start<typeof writeBehind>(WRITE_BEHIND_WORKFLOW, {
        taskQueue,
        workflowId: taskQueue,
        args,
      });
      await beforeWorker?.(handle);
      const worker = await Worker.create({
        connection: environment.nativeConnection,
        taskQueue,
        workflowBundle: await workflowBundle(),
        activities: fakeActivities(fakes),
      });
      return worker.runUntil(() => test(handle));
    },
    close: () => environment.teardown(),
  };
}

/** Waits until the batch says that it is in `state`. */
export async function reaches(handle: BatchHandle, state: StatusAnswer['state']): Promise<StatusAnswer> {
  return vi.waitFor(
    async () => {
      const status = await handle.query<StatusAnswer>('status');
      if (status.state !== state) throw new Error(`still ${status.state}`);
      return status;
    },
    { timeout: 15_000, interval: 50 },
  );
}

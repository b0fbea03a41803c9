import { randomUUID } from 'node:crypto';
import { NativeConnection, Worker } from '@temporalio/worker';
import type { PruneResult } from '../../activities/prune-tombstones.ts';
import type { ReconcileResult } from '../../activities/reconcile-index.ts';
import { readEnvironment } from '../../config/environment.ts';
import type { Batch } from '../../domain/batch.ts';
import { connectTemporal, type Temporal } from '../../storage/temporal/client.ts';
import { dataConverter } from '../../worker/data-converter.ts';
import { createNamespace, services } from '../support/services.ts';
import { type FakeActivities, fakeActivities } from '../workflow/fake-activities.ts';
import { MUTATIONS, workflowBundle } from '../workflow/harness.ts';

/** A queue of one test's own: a namespace in the shared dev server, where slots clash with nobody's. */
export interface TestQueue {
  readonly temporal: Temporal;
  /** The settings of its processes, beside defaults. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs a worker while `test` runs. */
  withWorker<T>(fakes: Partial<AllActivities>, test: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

interface AllActivities extends FakeActivities {
  /** Those of the other workflows. */
  invalidateEntries(): Promise<void>;
  pruneTombstones(): Promise<PruneResult>;
  reconcileIndex(): Promise<ReconcileResult>;
}

export async function createQueue(options: { readonly bare?: boolean } = {}): Promise<TestQueue> {
  const namespace = await createNamespace(options);
  const env = {
    TEMPORAL_ADDRESS: services().temporalAddress,
    TEMPORAL_NAMESPACE: namespace,
    TEMPORAL_TASK_QUEUE: `test-${randomUUID()}`,
  };
  const environment = readEnvironment(env);
  const temporal = connectTemporal({ environment });
  return {
    temporal,
    env,
    async withWorker(fakes, test) {
      const connection = await NativeConnection.connect({ address: environment.TEMPORAL_ADDRESS });
      try {
        const worker = await Worker.create({
          connection,
          namespace,
          taskQueue: temporal.taskQueue,
          workflowBundle: await workflowBundle(),
          dataConverter: dataConverter(environment),
          activities: { ...fakes, ...fakeActivities(fakes) },
        });
        return await worker.runUntil(test);
      } finally {
        await connection.close();
      }
    },
    close: () => temporal.close(),
  };
}

export function batch(number: number): Batch {
  return { id: `1-abc.p00.${number}`, partition: 0, epoch: '1-abc', mutations: MUTATIONS };
}

export const SEALED_AT = '2026-11-23T10:00:00.000Z';

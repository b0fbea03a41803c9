import { proxyActivities, sleep } from '@temporalio/workflow';
import type { Activities } from '../../activities/create-activities.ts';
import type { BatchInput } from '../../workflows/messages.ts';

const { releaseBatch } = proxyActivities<Activities>({ startToCloseTimeout: '1 minute' });

/** The workflow as it would be after a careless change: releases before it persists. */
export async function writeBehind({ batchId, partition }: BatchInput): Promise<void> {
  await sleep('1 second');
  await releaseBatch({ batchId, partition, entries: [], setAside: [], outcome: 'persisted' });
}

import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { encodingKeys, METADATA_ENCODING_KEY, RawValue } from '@temporalio/common';
import { slotWorkflowId, WRITE_BEHIND_WORKFLOW } from '../../config/temporal-names.ts';
import type { Batch, BatchId } from '../../domain/batch.ts';
import {
  oldestPacked,
  type PackedBatch,
  type PackedMutations,
  packedCollections,
  packedCount,
  packMutations,
} from '../../domain/packed-mutations.ts';
import type { BatchInput, BatchMemo } from '../../workflows/messages.ts';
import { batchSummary } from './batch-summary.ts';
import type { Temporal } from './client.ts';
import { describeSlot } from './describe-slot.ts';
import { TemporalUnreachable, withDeadline } from './errors.ts';
import { attributesOf, blamesSearchAttributes } from './search-attributes.ts';

/** `started`: accepted by Temporal, now or by an earlier call. `slot-taken`: another batch is in the slot. */
export type StartOutcome =
  | { readonly outcome: 'started'; readonly runId: string }
  | { readonly outcome: 'slot-taken'; readonly batchId: BatchId; readonly runId: string };

export interface StartRequest {
  readonly batch: Batch | PackedBatch;
  readonly slot: number;
  /** RFC 3339. */
  readonly sealedAt: string;
  /** For everything together, in milliseconds. */
  readonly deadlineMs: number;
}

/** Runs of the slot may end between "already started" and Describe. Each further round needs another such coincidence. */
const MAX_ROUNDS = 5;

/** The run's id, or `undefined` where the slot's workflow is open. */
async function tryStart(
  temporal: Temporal,
  request: StartRequest,
  deadlineMs: number,
): Promise<string | undefined> {
  const { attributes } = temporal;
  const end = performance.now() + deadlineMs;
  if (attributes.wanted()) {
    try {
      const runId = await startOnce(temporal, request, deadlineMs, true);
      attributes.accepted();
      return runId;
    } catch (error) {
      // Nobody finds the batch by them then; that is no reason for it not to be queued.
      if (!blamesSearchAttributes(error)) throw error;
      attributes.refused();
    }
  }
  return await startOnce(temporal, request, end - performance.now(), false);
}

async function startOnce(
  temporal: Temporal,
  { batch, slot, sealedAt }: StartRequest,
  deadlineMs: number,
  searchAttributes: boolean,
): Promise<string | undefined> {
  const packed = 'packed' in batch ? batch.packed : packMutations(batch.mutations);
  const about = {
    entries: packedCount(packed),
    collections: packedCollections(packed),
    oldest: oldestPacked(packed),
  };
  const summary = batchSummary(about);
  const input: BatchInput = {
    format: 3,
    batchId: batch.id,
    partition: batch.partition,
    slot,
    epoch: batch.epoch,
    sealedAt,
    summary,
    ...(searchAttributes ? { searchAttributes } : {}),
  };
  const memo: BatchMemo = {
    batchId: batch.id,
    epoch: batch.epoch,
    entries: about.entries,
    oldest: about.oldest,
  };
  try {
    const handle = await withDeadline(temporal, deadlineMs, ({ workflow }) =>
      workflow.start(WRITE_BEHIND_WORKFLOW, {
        workflowId: slotWorkflowId(batch.partition, slot),
        taskQueue: temporal.taskQueue,
        args: [input, asJson(packed)],
        memo: { ...memo },
        staticSummary: `${summary} · partition ${batch.partition}`,
        ...(searchAttributes
          ? { typedSearchAttributes: attributesOf({ ...about, partition: batch.partition }) }
          : {}),
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        workflowIdConflictPolicy: 'FAIL',
      }),
    );
    return handle.firstExecutionRunId;
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return undefined;
    throw error;
  }
}

/** As the SDK's converter makes it. That one encodes UTF-8 character by character, which is slow for a whole batch. */
function asJson(packed: PackedMutations): RawValue {
  return RawValue.fromPayload({
    metadata: { [METADATA_ENCODING_KEY]: encodingKeys.METADATA_ENCODING_JSON },
    data: Buffer.from(JSON.stringify(packed)),
  });
}

/**
 * Offers a sealed batch to Temporal in the given slot. Repeating it with the same batch and slot is harmless.
 * "Already started" names no batch, so it is followed by a Describe: the batch's own run, open or completed, is success.
 * An own run that was terminated or failed is started again in the same slot; a batch of others that ended like that
 * keeps its slot until a janitor has queued it again.
 * @throws TemporalUnreachable: the batch may or may not have been started.
 */
export async function startBatch(temporal: Temporal, request: StartRequest): Promise<StartOutcome> {
  const { batch, slot } = request;
  const end = performance.now() + request.deadlineMs;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const started = await tryStart(temporal, request, end - performance.now());
    if (started !== undefined) return { outcome: 'started', runId: started };
    const found = await describeSlot(temporal, {
      partition: batch.partition,
      slot,
      deadlineMs: end - performance.now(),
    });
    if (found.state === 'none') continue;
    const { batchId, runId, state } = found;
    if (batchId === batch.id) {
      if (state !== 'closed-unfinished') return { outcome: 'started', runId };
    } else if (state !== 'completed') {
      return { outcome: 'slot-taken', batchId, runId };
    }
  }
  throw new TemporalUnreachable(
    `the slot changed hands ${MAX_ROUNDS} times while a batch was started`,
    undefined,
  );
}

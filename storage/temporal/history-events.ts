import { decodeFromPayloadsAtIndex } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { slotWorkflowId } from '../../config/temporal-names.ts';
import type { Mutation } from '../../domain/mutation.ts';
import { type PackedMutations, unpackMutations } from '../../domain/packed-mutations.ts';
import type { BatchInput, BatchResult } from '../../workflows/messages.ts';
import type { Temporal } from './client.ts';
import { describeSlot } from './describe-slot.ts';
import { isNoSuchRun, UnreadableBatch, withDeadline } from './errors.ts';

/** One run, named fully: only then are several calls sure to speak of the same one. */
export interface ExactRun {
  readonly partition: number;
  readonly slot: number;
  readonly runId: string;
  readonly deadlineMs: number;
}

/** `HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT` of Temporal's API: the last event alone. */
const CLOSE_EVENT = 2;

/** One event of the history; `undefined` where the run does not exist. */
async function readEvent(temporal: Temporal, run: ExactRun, which: 'first' | 'last') {
  try {
    const response = await withDeadline(temporal, run.deadlineMs, ({ service }) =>
      service.getWorkflowExecutionHistory({
        namespace: temporal.client.options.namespace,
        execution: { workflowId: slotWorkflowId(run.partition, run.slot), runId: run.runId },
        waitNewEvent: false,
        skipArchival: true,
        ...(which === 'first' ? { maximumPageSize: 1 } : { historyEventFilterType: CLOSE_EVENT }),
      }),
    );
    const events = response.history?.events ?? [];
    return which === 'first' ? events[0] : events.at(-1);
  } catch (error) {
    if (isNoSuchRun(error)) return undefined;
    throw error;
  }
}

/** Payloads through the client's own converter, codecs included. */
function decode<T>(
  temporal: Temporal,
  run: ExactRun,
  payloads: Parameters<typeof decodeFromPayloadsAtIndex>[2],
  index = 0,
) {
  const { loadedDataConverter, namespace } = temporal.client.options;
  return decodeFromPayloadsAtIndex<T, unknown>(loadedDataConverter, index, payloads, {
    type: 'workflow',
    namespace,
    workflowId: slotWorkflowId(run.partition, run.slot),
  });
}

/** What a batch workflow was started with, of whatever format. */
export interface StartedBatch extends Pick<BatchInput, 'batchId' | 'epoch' | 'sealedAt'> {
  readonly mutations: readonly Mutation[];
}

/**
 * The input of a batch workflow, from its first history event: needs no worker. `undefined` where the run does not exist.
 * @throws TemporalUnreachable
 * @throws UnreadableBatch where the run is no batch, one of a newer format, or encrypted with a key that is not known here.
 */
export async function readInput(temporal: Temporal, run: ExactRun): Promise<StartedBatch | undefined> {
  const event = await readEvent(temporal, run, 'first');
  if (event === undefined) return undefined;
  const payloads = event.workflowExecutionStartedEventAttributes?.input?.payloads;
  const input = await decode<BatchInput | undefined>(temporal, run, payloads);
  if (input?.format === 3) {
    const packed = await decode<PackedMutations | undefined>(temporal, run, payloads, 1);
    if (Array.isArray(packed)) return { ...input, mutations: unpackMutations(packed) };
  } else if (input?.format === 1 || input?.format === 2) {
    return input;
  }
  throw new UnreadableBatch(
    `${slotWorkflowId(run.partition, run.slot)} holds no batch that this version can read, most likely one of a newer version`,
    'upgrade this process',
  );
}

/**
 * The result of a batch workflow, from its closing event, without waiting for it. `undefined` unless it completed.
 * @throws TemporalUnreachable
 */
export async function readResult(temporal: Temporal, run: ExactRun): Promise<BatchResult | undefined> {
  // Asked for the closing event of an open run, the server waits for it, whatever `waitNewEvent` says.
  if ((await describeSlot(temporal, run)).state !== 'completed') return undefined;
  const event = await readEvent(temporal, run, 'last');
  const completed = event?.workflowExecutionCompletedEventAttributes;
  if (completed === undefined || completed === null) return undefined;
  return decode<BatchResult>(temporal, run, completed.result?.payloads);
}

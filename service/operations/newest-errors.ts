import type { DescribedBatch } from '../../storage/temporal/describe-batch.ts';
import type { BatchTrouble, NewestErrors, Waiting } from './summary-types.ts';

/** Failed attempts, by the state of the batches that met them. */
export type Errors = Record<keyof NewestErrors, BatchTrouble[]>;

export function noErrors(): Errors {
  return { retrying: [], stuck: [], releasing: [] };
}

/** What the batch met last, if anything. */
export function troubleOf({ failure, workflowId, attempts, nextAttemptAt }: DescribedBatch): BatchTrouble[] {
  return failure === null ? [] : [{ ...failure, workflowId, attempts, nextAttemptAt }];
}

/** The newest of each state, and of all: what one batch met last says nothing of why another one waits. */
export function newestOf({
  retrying,
  stuck,
  releasing,
}: Errors): Pick<Waiting, 'newestError' | 'newestErrors'> {
  return {
    newestError: newest([...retrying, ...stuck, ...releasing]),
    newestErrors: { retrying: newest(retrying), stuck: newest(stuck), releasing: newest(releasing) },
  };
}

function newest(errors: readonly BatchTrouble[]): BatchTrouble | null {
  return [...errors].sort((a, b) => b.at.getTime() - a.at.getTime())[0] ?? null;
}

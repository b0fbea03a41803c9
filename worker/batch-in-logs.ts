import type { Context } from '@temporalio/activity';
import type { ActivityInterceptors } from '@temporalio/worker';

/** The id of the batch that an activity is about, from its argument. */
function batchOf(argument: unknown): string | undefined {
  if (typeof argument !== 'object' || argument === null) return undefined;
  if ('batchId' in argument && typeof argument.batchId === 'string') return argument.batchId;
  return 'batch' in argument ? batchIdOf(argument.batch) : undefined;
}

function batchIdOf(batch: unknown): string | undefined {
  const known = typeof batch === 'object' && batch !== null && 'id' in batch;
  return known && typeof batch.id === 'string' ? batch.id : undefined;
}

/** Adds the batch to every line that is logged of an activity, beside the workflow and the run that the SDK names. */
export function batchInLogs(_: Context): ActivityInterceptors {
  let batchId: string | undefined;
  return {
    inbound: {
      execute(input, next) {
        batchId = batchOf(input.args[0]);
        return next(input);
      },
    },
    outbound: {
      getLogAttributes: (input, next) => next(batchId === undefined ? input : { ...input, batchId }),
    },
  };
}

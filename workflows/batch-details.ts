import type { StatusAnswer } from './messages.ts';

const HEADLINES: Record<StatusAnswer['state'], string> = {
  persisting: 'Persisting',
  retrying: 'Retrying',
  stuck: 'Stuck: needs a person',
  releasing: 'Releasing',
  done: 'Done',
};

const ADVICE: Record<StatusAnswer['state'], string> = {
  persisting: 'On its way to PostgreSQL. Nothing to do.',
  retrying:
    'PostgreSQL did not take the batch yet. It is tried again by itself until it does: *Pending Activities* shows the attempts, their last failure and the next one. ' +
    'Once the cause is gone, the update `retryNow` saves the wait.',
  stuck:
    'PostgreSQL refuses the batch for a reason that waiting does not mend (a missing table, a missing permission). Mend the cause, then run the update `retryNow`. ' +
    'Without it the batch is tried again every few minutes: *Pending Activities* shows when. Single writes can be given up through the API (`POST /ops/v1/batches/…/discard`).',
  releasing:
    'The batch is settled in PostgreSQL. Redis is being told; this is tried again until it succeeds.',
  done: 'Settled in PostgreSQL, and Redis knows.',
};

const KEEP =
  'Do not terminate or reset this workflow. Its writes would be queued again by themselves, but until then they are in its history and nowhere else.';

/** The batch for the Web UI, in Markdown: where it stands and what to do. Never a key or a value. */
export function batchDetails(summary: string, status: StatusAnswer): string {
  const counts = [
    `${status.total} in the batch`,
    `${status.pending} not yet in PostgreSQL`,
    ...(status.discarded > 0 ? [`${status.discarded} discarded`] : []),
    ...(status.setAside > 0 ? [`${status.setAside} set aside as dead letters`] : []),
  ];
  return [
    `**${HEADLINES[status.state]}** · ${summary}`,
    '',
    ADVICE[status.state],
    '',
    ...counts.map((line) => `- ${line}`),
    ...(status.oldestWrite === undefined ? [] : [`- oldest write: ${status.oldestWrite}`]),
    `- sealed: ${status.sealedAt}`,
    ...(status.lastFailure === undefined
      ? []
      : [`- last failure that this workflow was told of: ${status.lastFailure}`]),
    ...(status.pending > 0 ? ['', KEEP] : []),
  ].join('\n');
}

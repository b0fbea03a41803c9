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
    'PostgreSQL did not take the batch yet. It is tried again by itself until it does; *Pending Activities* shows the attempts and the last failure. ' +
    'Once the cause is gone, the update `retryNow` saves the wait.',
  stuck:
    'PostgreSQL refuses the batch for a reason that waiting does not mend (a missing table, a missing permission). Mend the cause, then run the update `retryNow`. ' +
    'Without it the batch is tried again every few minutes. Single writes can be given up through the API (`POST /ops/v1/batches/…/discard`). ' +
    'Do not terminate this workflow: its writes are nowhere else.',
  releasing:
    'The batch is settled in PostgreSQL. Redis is being told; this is tried again until it succeeds.',
  done: 'Settled in PostgreSQL, and Redis knows.',
};

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
    `- sealed at ${status.sealedAt}`,
    ...(status.lastFailure === undefined ? [] : [`- last failure: ${status.lastFailure}`]),
  ].join('\n');
}

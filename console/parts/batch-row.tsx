import { attemptsInWords, whyInWords } from '../model/batch-words.ts';
import { clock, count, duration } from '../model/format.ts';
import type { Batch } from '../model/wire.ts';
import { ActionButton } from './action-button.tsx';
import { useNow } from './use-now.ts';

interface Props {
  readonly batch: Batch;
  readonly onRetry: () => Promise<string>;
  /** After a retry, whatever became of it. */
  readonly onDone: () => void;
  readonly onDiscard: () => void;
}

/** One batch in trouble. */
export function BatchRow({ batch, onRetry, onDone, onDiscard }: Props) {
  const now = useNow();
  const { workflowId, partition, collections, state, entries, oldestWriteAt, lastError } = batch;
  const age = oldestWriteAt === null ? null : Math.max(0, (now - Date.parse(oldestWriteAt)) / 1_000);
  return (
    <tr>
      <th scope="row" data-label="Batch">
        <code>{workflowId}</code>
        <small>
          partition {partition}
          {collections === null ? '' : `, ${collections.join(', ')}`}
        </small>
      </th>
      <td data-label="State">
        <b class={`state ${state}`}>{state}</b>
        <small>{attemptsInWords(batch, now)}</small>
      </td>
      <td data-label="Waits">
        {duration(age)}
        <small>{entries === null ? '' : `${count(entries)} writes`}</small>
      </td>
      <td data-label="Why">
        {lastError === null ? (
          whyInWords(batch)
        ) : (
          <>
            <b>{lastError.type}</b> {lastError.message} <small>at {clock(lastError.at)}</small>
          </>
        )}
      </td>
      <td data-label="Do" class="do">
        <ActionButton
          label="Retry now"
          name={`Retry now ${workflowId}`}
          act={onRetry}
          onDone={onDone}
          primary
        />
        <button type="button" aria-label={`Discard… writes of ${workflowId}`} onClick={onDiscard}>
          Discard…
        </button>
        {batch.uiUrl === null ? null : (
          <a
            href={batch.uiUrl}
            target="_blank"
            rel="noopener noreferrer"
            aria-label={`Open in Temporal UI ${workflowId}`}
          >
            Open in Temporal UI
          </a>
        )}
      </td>
    </tr>
  );
}

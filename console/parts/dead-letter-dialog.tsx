import { useCallback, useState } from 'preact/hooks';
import { correctionInWords } from '../model/decisions.ts';
import { clock, count } from '../model/format.ts';
import type { CorrectedDeadLetter, DeadLetter } from '../model/wire.ts';
import { ActionButton } from './action-button.tsx';
import { useApi } from './api-context.ts';
import { Awaited } from './awaited.tsx';
import { Dialog } from './dialog.tsx';
import { ReasonForm } from './reason-form.tsx';
import { usePolled } from './use-polled.ts';

interface Props {
  readonly id: number;
  readonly onClose: () => void;
}

/** One dead letter with its whole value: to be corrected, tried as it is, or given up. */
export function DeadLetterDialog({ id, onClose }: Props) {
  const api = useApi();
  const path = `/ops/v1/dead-letters/${id}`;
  const ask = useCallback(
    (signal: AbortSignal) => api.json<DeadLetter>('GET', path, { signal }),
    [api, path],
  );
  const polled = usePolled(ask, 0);
  return (
    <Dialog title={`Dead letter ${id}`} onClose={onClose}>
      <Awaited of={polled}>
        {(letter) => (
          <>
            <About letter={letter} />
            {letter.state === 'dead' ? (
              <Decide key={letter.id} letter={letter} path={path} onDecided={polled.refresh} />
            ) : (
              <pre class="value">{letter.value ?? 'a deletion'}</pre>
            )}
          </>
        )}
      </Awaited>
    </Dialog>
  );
}

function About({ letter }: { readonly letter: DeadLetter }) {
  return (
    <dl class="about">
      <dt>Entry</dt>
      <dd>
        {letter.collection}/{letter.key}
      </dd>
      <dt>PostgreSQL said</dt>
      <dd>
        {letter.sqlstate === null
          ? 'nothing: it was discarded before'
          : `${letter.sqlstate}: ${letter.message}`}
      </dd>
      <dt>Version</dt>
      <dd>
        {letter.version}, a {letter.kind} of {count(letter.valueLength)} characters, set aside{' '}
        {clock(letter.createdAt)}
      </dd>
      <dt>Batch</dt>
      <dd>
        {letter.batchId}, partition {letter.partition}
      </dd>
      {letter.state === 'dead' ? null : (
        <>
          <dt>Given up</dt>
          <dd>
            {letter.reason}, by {letter.decidedBy}
            {letter.decidedAt === null ? '' : `, ${clock(letter.decidedAt)}`}
          </dd>
        </>
      )}
    </dl>
  );
}

interface DecideProps {
  readonly letter: DeadLetter;
  readonly path: string;
  readonly onDecided: () => void;
}

function Decide({ letter, path, onDecided }: DecideProps) {
  const api = useApi();
  const [text, setText] = useState(letter.value ?? '');
  const correct = async () => {
    const answer = await api.json<CorrectedDeadLetter>('POST', `${path}/correction`, { body: text });
    // Else the button stays, to press again.
    if (answer.resolved && answer.state === 'persisted') onDecided();
    return correctionInWords(answer);
  };
  const retry = async () => {
    await api.json('POST', `${path}/retry`);
    return 'It is persisted, unless its row was newer. Close this.';
  };
  const discard = async (reason: string) => {
    await api.json('POST', `${path}/discard`, { body: JSON.stringify({ reason }) });
    onDecided();
  };
  return (
    <>
      <label for="correction">Value, as JSON</label>
      <textarea
        id="correction"
        class="value"
        rows={8}
        spellcheck={false}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <ActionButton label="Write the corrected value" act={correct} primary />
      <h3>Or try it as it was</h3>
      <p>
        Where the cause was in PostgreSQL and is mended. It keeps its version: a newer row stays as it is.
      </p>
      <ActionButton label="Retry as it was" act={retry} />
      <h3>Or give it up</h3>
      <ReasonForm label="Discard for good" act={discard}>
        <p>It will never be retried; its record stays.</p>
      </ReasonForm>
    </>
  );
}

import { useCallback, useEffect, useState } from 'preact/hooks';
import { clock, count } from '../model/format.ts';
import type { DeadLetter, DeadLetterPage, Summary } from '../model/wire.ts';
import { ActionButton } from './action-button.tsx';
import { useApi } from './api-context.ts';
import { Awaited } from './awaited.tsx';
import { DeadLetterDialog } from './dead-letter-dialog.tsx';
import { Pager } from './pager.tsx';
import { Section } from './section.tsx';
import { Table } from './table.tsx';
import { useFocusFallback } from './use-focus-fallback.ts';
import { usePages } from './use-pages.ts';
import { usePolled } from './use-polled.ts';

const LIMIT = 25;
/** As the API shows it in a list; a row needs less. */
const SHOWN_CHARACTERS = 80;
const COLUMNS = ['Entry', 'Why', 'Value', 'Since', 'Do'];

type State = DeadLetter['state'];

/** The writes that PostgreSQL refused, a page at a time, and what can be done about each. */
export function DeadLetters({ counts }: { readonly counts: Summary['deadLetters'] }) {
  const api = useApi();
  const [state, setState] = useState<State>('dead');
  const { after, restart, turns } = usePages(0);
  const [shown, setShown] = useState<DeadLetter>();
  const { list, heading } = useFocusFallback();
  const ask = useCallback(
    (signal: AbortSignal) => {
      const query = `state=${state}&limit=${LIMIT}&after=${after}`;
      return api.json<DeadLetterPage>('GET', `/ops/v1/dead-letters?${query}`, { signal });
    },
    [api, state, after],
  );
  const polled = usePolled(ask, 0);
  const { refresh } = polled;
  // Others decide, and batches bring new ones: the summary's count tells.
  const number = counts?.[state] ?? null;
  useEffect(() => refresh(), [number, refresh]);
  const choose = (next: State) => {
    setState(next);
    restart();
  };
  return (
    <Section id="dead-letters" title="Dead letters" headingRef={heading}>
      <p>
        <label>
          Show{' '}
          <select value={state} onChange={(event) => choose(event.currentTarget.value as State)}>
            <option value="dead">those that wait for a decision</option>
            <option value="discarded">those that were given up</option>
          </select>
        </label>{' '}
        {number === null ? '' : `${count(number)} in all.`}
      </p>
      <Awaited of={polled} without="They are kept in PostgreSQL.">
        {({ deadLetters }) =>
          deadLetters.length === 0 ? (
            <p>None.</p>
          ) : (
            <div ref={list}>
              <Table caption="Writes that are not in their rows, oldest first" columns={COLUMNS}>
                {deadLetters.map((letter) => (
                  <Row key={letter.id} letter={letter} onShow={() => setShown(letter)} onDone={refresh} />
                ))}
              </Table>
            </div>
          )
        }
      </Awaited>
      <Pager of="dead letters" {...turns(polled.value?.next)} />
      {shown === undefined ? null : (
        <DeadLetterDialog
          id={shown.id}
          onClose={() => {
            setShown(undefined);
            refresh();
          }}
        />
      )}
    </Section>
  );
}

interface RowProps {
  readonly letter: DeadLetter;
  readonly onShow: () => void;
  readonly onDone: () => void;
}

function Row({ letter, onShow, onDone }: RowProps) {
  const api = useApi();
  const { id, collection, key, sqlstate, message, reason, value, createdAt } = letter;
  const entry = `${collection}/${key}`;
  const retry = async () => {
    await api.json('POST', `/ops/v1/dead-letters/${id}/retry`);
    return 'It is persisted.';
  };
  return (
    <tr>
      <th scope="row" data-label="Entry">
        <code>{key}</code> <small>{collection}</small>
      </th>
      <td data-label="Why">
        <b>{sqlstate}</b> {reason ?? message}
      </td>
      <td data-label="Value" class="value">
        {value === null ? 'a deletion' : shortened(value)}
      </td>
      <td data-label="Since">{clock(createdAt)}</td>
      <td data-label="Do" class="do">
        <button type="button" class="primary" aria-label={`Show ${entry}, number ${id}`} onClick={onShow}>
          Show
        </button>
        {letter.state === 'dead' ? (
          <ActionButton label="Retry" name={`Retry ${entry}, number ${id}`} act={retry} onDone={onDone} />
        ) : null}
      </td>
    </tr>
  );
}

function shortened(text: string): string {
  return text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`;
}

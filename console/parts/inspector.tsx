import { useCallback, useState } from 'preact/hooks';
import { wordsOf } from '../model/call.ts';
import { type Copy, type Explained, readExplanation } from '../model/explanation.ts';
import { clock } from '../model/format.ts';
import { useApi } from './api-context.ts';
import { Section } from './section.tsx';
import { usePolled } from './use-polled.ts';

const PLACES = [
  { place: 'cached', title: 'Cache', what: 'Redis' },
  { place: 'pending', title: 'Pending', what: 'on its way' },
  { place: 'row', title: 'Row', what: 'PostgreSQL' },
] as const;

interface Answer {
  readonly entry: string;
  readonly explained?: Explained;
  readonly problem?: string;
}

/** Looks an entry up in the cache, in what is on its way, and in the database, side by side. */
export function Inspector() {
  const api = useApi();
  const [collection, setCollection] = useState('');
  const [key, setKey] = useState('');
  const [answer, setAnswer] = useState<Answer>();
  const ask = useCallback(
    (signal: AbortSignal) =>
      api.json<{ collections: readonly { name: string }[] }>('GET', '/v1/collections', { signal }),
    [api],
  );
  const { value: configured } = usePolled(ask, 0);
  const submit = async (event: Event) => {
    event.preventDefault();
    const path = `/v1/collections/${encodeURIComponent(collection)}/entries/${encodeURIComponent(key)}/explanation`;
    const entry = `${collection}/${key}`;
    try {
      setAnswer({ entry, explained: readExplanation(await api.text('GET', path)) });
    } catch (error) {
      setAnswer({ entry, problem: wordsOf(error) });
    }
  };
  return (
    <Section id="inspector" title="Look at an entry">
      <form class="inline" onSubmit={submit}>
        <label>
          Collection{' '}
          <input
            required
            list="collections"
            value={collection}
            autocomplete="off"
            onInput={(event) => setCollection(event.currentTarget.value)}
          />
        </label>
        <datalist id="collections">
          {configured?.collections.map(({ name }) => (
            <option key={name} value={name} />
          ))}
        </datalist>
        <label>
          Key{' '}
          <input
            required
            value={key}
            autocomplete="off"
            spellcheck={false}
            onInput={(event) => setKey(event.currentTarget.value)}
          />
        </label>
        <button type="submit" class="primary">
          Look
        </button>
      </form>
      <div>
        {answer?.problem === undefined ? null : (
          <p class="problem" role="status">
            {answer.problem}
          </p>
        )}
        {answer?.explained === undefined ? null : (
          <Answered entry={answer.entry} explained={answer.explained} />
        )}
      </div>
    </Section>
  );
}

function Answered({ entry, explained }: { readonly entry: string; readonly explained: Explained }) {
  const { winner, setAside, copies, partition, epoch } = explained;
  return (
    <>
      <p role="status">
        A read of <b>{entry}</b> gives{' '}
        {winner === 'none' ? 'nothing: it was never written' : `what is marked (${winner})`}. Partition{' '}
        {partition}, epoch {epoch}.
        {setAside.length === 0 ? '' : ` Set aside, so they do not count: versions ${setAside.join(', ')}.`}
      </p>
      <div class="copies">
        {PLACES.map(({ place, title, what }) => (
          <article key={place} class={winner === place ? 'winner' : ''} aria-label={title}>
            <h3>
              {title} <small>{what}</small> {winner === place ? <b>read</b> : null}
            </h3>
            <OneCopy copy={copies[place]} />
          </article>
        ))}
      </div>
    </>
  );
}

function OneCopy({ copy }: { readonly copy: Copy | undefined }) {
  if (copy === undefined) return <p>Nothing.</p>;
  const { version, deleted, value, where, workflowId, batchId } = copy;
  return (
    <>
      <p>
        version {version}
        {version === '0' ? ', never written' : `, of ${clock(Number(version) / 1_000)}`}
        {where === undefined ? '' : `, in ${where}`}
      </p>
      {batchId === undefined ? null : (
        <p>
          batch {batchId} {workflowId}
        </p>
      )}
      {version === '0' ? null : <pre class="value">{deleted ? 'deleted' : value}</pre>}
    </>
  );
}

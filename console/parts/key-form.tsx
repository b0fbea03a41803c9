import { useEffect, useRef, useState } from 'preact/hooks';
import { cleanKey } from '../model/key.ts';
import { showState } from './window-state.ts';

interface Props {
  /** Whether a key would help: not where a page of this origin may not call the API at all. */
  readonly asks: boolean;
  /** Why the API refused; `undefined` before anything was tried. */
  readonly refusal: string | undefined;
  readonly onKey: (key: string) => void;
}

/** Asks for an API key. It goes into `sessionStorage` and into headers, never into an address. */
export function KeyForm({ asks, refusal, onKey }: Props) {
  const [problem, setProblem] = useState(refusal);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => showState('unknown', asks ? 'API key needed' : 'refused'), [asks]);
  useEffect(() => setProblem(refusal), [refusal]);
  useEffect(() => input.current?.focus(), []);
  const submit = (event: Event) => {
    event.preventDefault();
    const key = cleanKey(input.current?.value ?? '');
    if (key === undefined) setProblem('An API key is "hf_" and 64 digits from 0 to f.');
    else onKey(key);
  };
  return (
    <main class="gate">
      <h1>Holdfast</h1>
      {asks ? (
        <form onSubmit={submit}>
          <label for="key">
            API key with the scope <code>ops</code>
          </label>
          <input
            ref={input}
            id="key"
            type="password"
            autocomplete="off"
            spellcheck={false}
            aria-describedby="key-note"
          />
          <p id="key-note">It is kept until this tab is closed, and goes nowhere but to this API.</p>
          <button type="submit" class="primary">
            Open the console
          </button>
        </form>
      ) : null}
      <p class="problem" role="alert">
        {problem}
      </p>
    </main>
  );
}

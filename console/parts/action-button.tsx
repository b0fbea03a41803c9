import { useRef, useState } from 'preact/hooks';
import { wordsOf } from '../model/call.ts';

interface Props {
  readonly label: string;
  /** The whole name, for who does not see what the button stands beside, where the label is not enough. It begins with the label. */
  readonly name?: string;
  /** What is done; answers what became of it. What it throws is shown beside the button. */
  readonly act: () => Promise<string>;
  readonly onDone?: () => void;
  readonly primary?: boolean;
}

/**
 * A button that does something at once, and shows beside it what became of that. Never disabled: that would take the focus away
 * from whoever pressed it by keyboard. While it is busy, pressing does nothing.
 */
export function ActionButton({ label, name = label, act, onDone, primary = false }: Props) {
  const [outcome, setOutcome] = useState<{ text: string; failed: boolean }>();
  const [isBusy, setBusy] = useState(false);
  const busy = useRef(false);
  const run = async () => {
    if (busy.current) return;
    busy.current = true;
    setBusy(true);
    setOutcome(undefined);
    try {
      setOutcome({ text: await act(), failed: false });
    } catch (error) {
      setOutcome({ text: wordsOf(error), failed: true });
    } finally {
      busy.current = false;
      setBusy(false);
      onDone?.();
    }
  };
  return (
    <span class="action">
      <button
        type="button"
        class={primary ? 'primary' : ''}
        aria-label={name}
        aria-disabled={isBusy}
        onClick={run}
      >
        {isBusy ? `${label}…` : label}
      </button>
      <span role="status" class={outcome?.failed ? 'problem' : 'outcome'}>
        {outcome?.text}
      </span>
    </span>
  );
}

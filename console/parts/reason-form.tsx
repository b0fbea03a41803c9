import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';
import { wordsOf } from '../model/call.ts';

/** As the API has it. */
const LONGEST_REASON = 500;

interface Props {
  /** What the button says that does it. */
  readonly label: string;
  /** Why it cannot be done yet; empty where it can. */
  readonly missing?: string;
  /** @throws what is shown beside the button. */
  readonly act: (reason: string) => Promise<void>;
  /** What stands above the reason. */
  readonly children?: ComponentChildren;
}

/** Asks for the reason of what cannot be taken back, and then does it. */
export function ReasonForm({ label, missing = '', act, children }: Props) {
  const [problem, setProblem] = useState('');
  const [isBusy, setBusy] = useState(false);
  const [reason, setReason] = useState('');
  const id = useId();
  const submit = async (event: Event) => {
    event.preventDefault();
    if (isBusy) return;
    const lacking = missing || (reason.trim() === '' ? 'Give a reason: it is kept with the record.' : '');
    setProblem(lacking);
    if (lacking !== '') return;
    setBusy(true);
    try {
      await act(reason.trim());
    } catch (error) {
      setProblem(wordsOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form onSubmit={submit}>
      {children}
      <label for={id}>Reason, kept with your name</label>
      <textarea
        id={id}
        rows={2}
        maxLength={LONGEST_REASON}
        value={reason}
        onInput={(event) => setReason(event.currentTarget.value)}
      />
      <button type="submit" class="danger" aria-disabled={isBusy}>
        {isBusy ? `${label}…` : label}
      </button>
      <span role="status" class="problem">
        {problem}
      </span>
    </form>
  );
}

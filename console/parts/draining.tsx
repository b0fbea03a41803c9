import { ActionButton } from './action-button.tsx';
import { useApi } from './api-context.ts';

/** What nobody should forget: an operator lets the queue empty, so writes are refused until that is ended. */
export function Draining({ draining }: { readonly draining: boolean | null }) {
  const api = useApi();
  if (draining !== true) return null;
  const resume = async () => {
    await api.json('DELETE', '/ops/v1/drain');
    return 'Writes are taken again.';
  };
  return (
    <aside class="notice" aria-label="Drain">
      <p>An operator lets the queue empty: new write-behind writes are refused.</p>
      <ActionButton label="Take writes again" act={resume} />
    </aside>
  );
}

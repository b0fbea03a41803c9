import { useCallback, useRef, useState } from 'preact/hooks';
import { count, counted } from '../model/format.ts';
import { anyTroubled, collectionsOf, heldOrder, noneInWords, troubled } from '../model/troubled.ts';
import type { Batch, BatchPage, Summary } from '../model/wire.ts';
import { ActionButton } from './action-button.tsx';
import { useApi } from './api-context.ts';
import { BatchRow } from './batch-row.tsx';
import { DiscardWrites } from './discard-writes.tsx';
import { Section } from './section.tsx';
import { Table } from './table.tsx';
import { useFocusFallback } from './use-focus-fallback.ts';
import { usePolled } from './use-polled.ts';

/** Each page costs a look at each of its batches, in ms. */
const EVERY_MS = 2_000;
/** Past it, figures are of more use than rows. */
const MAX_PAGES = 3;
/** More than a screen of them is shown to whoever asks for it. */
const SHOWN = 10;
const COLUMNS = ['Batch', 'State', 'Waits', 'Why', 'Do'];

interface Found {
  readonly batches: readonly Batch[];
  /** There are more that were not looked at. */
  readonly more: boolean;
}

/** The batches that somebody should see: why they wait, and what can be done. */
export function Troubled({ summary }: { readonly summary: Summary }) {
  const api = useApi();
  const isTroubled = anyTroubled(summary);
  const ask = useCallback(
    async (signal: AbortSignal): Promise<Found> => {
      // Batches move while pages are read: one may be on two.
      const batches = new Map<string, Batch>();
      let after: string | null = '';
      for (let page = 0; page < MAX_PAGES && after !== null; page += 1) {
        const query = new URLSearchParams({ limit: '100', after });
        const answer: BatchPage = await api.json('GET', `/ops/v1/batches?${query}`, { signal });
        for (const batch of answer.batches) batches.set(batch.workflowId, batch);
        after = answer.next;
      }
      return { batches: troubled([...batches.values()], Date.now()), more: after !== null };
    },
    [api],
  );
  const { value, problem, refresh } = usePolled(isTroubled ? ask : undefined, EVERY_MS);
  const [showsAll, setShowsAll] = useState(false);
  const [discarding, setDiscarding] = useState<Batch>();
  const { list, heading, isHeld } = useFocusFallback();
  const order = useRef<readonly string[]>([]);
  const found = value?.batches ?? [];
  const looked = value === undefined ? undefined : noneInWords(summary, value.more);
  // Where only a problem came, it says all that is known.
  const none = isTroubled ? (looked ?? (problem === undefined ? 'Looking…' : '')) : 'None.';
  const batches = isHeld() ? heldOrder(order.current, found) : found;
  order.current = batches.map(({ batchId }) => batchId);

  return (
    <Section id="stuck" title="Batches in trouble" headingRef={heading}>
      {problem === undefined ? null : <p class="problem">{problem}</p>}
      {batches.length === 0 ? (
        <p>{none}</p>
      ) : (
        <div ref={list}>
          <p>
            {counted(batches.length, 'batch', 'batches')}
            {value?.more ? ' and more' : ''}. Collections: {collectionsOf(batches).join(', ') || 'unknown'}.
          </p>
          <ActionButton
            label="Retry all now"
            act={() => retryAll(batches.map((batch) => () => api.json('POST', retryPath(batch))))}
            onDone={refresh}
          />
          <Table caption="Batches that do not get on, newest error first" columns={COLUMNS}>
            {batches.slice(0, showsAll ? batches.length : SHOWN).map((batch) => (
              <BatchRow
                key={batch.batchId}
                batch={batch}
                onRetry={async () => {
                  await api.json('POST', retryPath(batch));
                  return 'It is being tried again.';
                }}
                onDone={refresh}
                onDiscard={() => setDiscarding(batch)}
              />
            ))}
          </Table>
          {batches.length > SHOWN ? (
            <button type="button" aria-pressed={showsAll} onClick={() => setShowsAll(!showsAll)}>
              Show all {count(batches.length)}
            </button>
          ) : null}
        </div>
      )}
      {discarding === undefined ? null : (
        <DiscardWrites
          batch={discarding}
          onClose={() => {
            setDiscarding(undefined);
            refresh();
          }}
        />
      )}
    </Section>
  );
}

function retryPath({ workflowId }: Batch): string {
  return `/ops/v1/batches/${encodeURIComponent(workflowId)}/retry`;
}

/** One after the other: each costs a worker some work. Says what became of them; throws where none could be retried. */
async function retryAll(retries: readonly (() => Promise<unknown>)[]): Promise<string> {
  const problems: string[] = [];
  for (const retry of retries) {
    await retry().catch((error: Error) => problems.push(error.message));
  }
  const done = retries.length - problems.length;
  const rest = problems.length === 0 ? '' : ` Not: ${[...new Set(problems)].join(' ')}`;
  if (done === 0) throw new Error(rest.trim());
  return `${counted(done, 'batch is', 'batches are')} being tried again.${rest}`;
}

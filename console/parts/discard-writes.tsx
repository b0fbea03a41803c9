import { useCallback, useState } from 'preact/hooks';
import { discardInWords } from '../model/decisions.ts';
import { count, counted } from '../model/format.ts';
import type { Batch, DiscardResult, ShownBatch } from '../model/wire.ts';
import { useApi } from './api-context.ts';
import { Dialog } from './dialog.tsx';
import { Pager } from './pager.tsx';
import { ReasonForm } from './reason-form.tsx';
import { Table } from './table.tsx';
import { usePages } from './use-pages.ts';
import { usePolled } from './use-polled.ts';

const LIMIT = 25;
/** The API takes no more at once. */
const MAX_CHOSEN = 1_000;

type Write = ShownBatch['writes'][number];

interface Props {
  readonly batch: Batch;
  readonly onClose: () => void;
}

const nameOf = ({ collection, key }: Write) => `${collection}/${key}`;

/** Gives up writes of a batch, those that are chosen by name and no others. */
export function DiscardWrites({ batch, onClose }: Props) {
  const api = useApi();
  const { after, turns } = usePages(0);
  const [chosen, setChosen] = useState<ReadonlyMap<string, Write>>(new Map());
  const [outcome, setOutcome] = useState('');
  const path = `/ops/v1/batches/${encodeURIComponent(batch.workflowId)}`;
  const ask = useCallback(
    (signal: AbortSignal) => api.json<ShownBatch>('GET', `${path}?limit=${LIMIT}&after=${after}`, { signal }),
    [api, path, after],
  );
  const { value, problem } = usePolled(ask, 0);
  const isOther = value !== undefined && value.batchId !== batch.batchId;
  const toggle = (write: Write) => {
    const next = new Map(chosen);
    if (!next.delete(nameOf(write))) next.set(nameOf(write), write);
    setChosen(next);
  };
  const discard = async (reason: string) => {
    const entries = [...chosen.values()].map(({ collection, key, version }) => ({
      collection,
      key,
      version,
    }));
    const body = JSON.stringify({ entries, reason });
    const discarded = await api.json<DiscardResult>('POST', `${path}/discard`, { body });
    // Else they are to be discarded again.
    if (discarded.cacheTold && discarded.workflowTold) setChosen(new Map());
    setOutcome(discardInWords(discarded));
  };
  return (
    <Dialog title={`Discard writes of ${batch.workflowId}`} onClose={onClose}>
      <p>
        A discarded write will never be in PostgreSQL; its entry shows its former value again. This cannot be
        taken back. The other writes of the batch are persisted as if nothing had happened.
      </p>
      {problem === undefined ? null : <p class="problem">{problem}</p>}
      {isOther ? <p class="problem">The batch is settled by now; its slot carries another one.</p> : null}
      {value === undefined || isOther ? null : (
        <>
          <Table
            caption={`What the batch began with, ${counted(value.entries ?? 0, 'write')}`}
            columns={['Discard', 'Collection', 'Key', 'Value']}
          >
            {value.writes.map((write) => (
              <tr key={nameOf(write)}>
                <td data-label="Discard">
                  <input
                    type="checkbox"
                    aria-label={`Discard ${nameOf(write)}`}
                    checked={chosen.has(nameOf(write))}
                    onChange={() => toggle(write)}
                  />
                </td>
                <td data-label="Collection">{write.collection}</td>
                <th scope="row" data-label="Key">
                  {write.key}
                </th>
                <td data-label="Value">
                  {write.deleted ? 'a deletion' : `${count(write.valueLength)} characters`}
                </td>
              </tr>
            ))}
          </Table>
          <Pager of="writes" {...turns(value.next)} />
          <ReasonForm
            label={`Discard ${counted(chosen.size, 'write')} for good`}
            missing={chosen.size === 0 ? 'Choose what to discard.' : tooMany(chosen.size)}
            act={discard}
          />
        </>
      )}
      <p role="status">{outcome}</p>
    </Dialog>
  );
}

function tooMany(chosen: number): string {
  return chosen > MAX_CHOSEN ? `Choose ${count(MAX_CHOSEN)} at most.` : '';
}

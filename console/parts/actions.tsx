import { useCallback, useState } from 'preact/hooks';
import { clock } from '../model/format.ts';
import { back, current, forward, type Pages } from '../model/pages.ts';
import type { ActionPage } from '../model/wire.ts';
import { useApi } from './api-context.ts';
import { Pager } from './pager.tsx';
import { Section } from './section.tsx';
import { Table } from './table.tsx';
import { usePolled } from './use-polled.ts';

const LIMIT = 20;
/** Colleagues act, too. */
const EVERY_MS = 5_000;

/** Who did what, newest first. Discards are among the dead letters. */
export function Actions() {
  const api = useApi();
  const [pages, setPages] = useState<Pages<number | undefined>>([undefined]);
  const before = current(pages);
  const ask = useCallback(
    (signal: AbortSignal) => {
      const from = before === undefined ? '' : `&before=${before}`;
      return api.json<ActionPage>('GET', `/ops/v1/actions?limit=${LIMIT}${from}`, { signal });
    },
    [api, before],
  );
  const { value, problem } = usePolled(ask, EVERY_MS);
  return (
    <Section id="actions" title="What operators did">
      {problem === undefined ? null : <p class="problem">{problem}</p>}
      {value === undefined ? (
        <p>{problem === undefined ? 'Asking…' : 'They are kept in PostgreSQL.'}</p>
      ) : value.actions.length === 0 ? (
        <p>Nothing yet.</p>
      ) : (
        <Table
          caption="Newest first; discards are among the dead letters"
          columns={['When', 'What', 'Of', 'By']}
        >
          {value.actions.map(({ id, at, action, subject, by }) => (
            <tr key={id}>
              <td data-label="When">{clock(at)}</td>
              <th scope="row" data-label="What">
                {action}
              </th>
              <td data-label="Of">{subject === '' ? 'everything' : subject}</td>
              <td data-label="By">{by}</td>
            </tr>
          ))}
        </Table>
      )}
      <Pager
        of="actions"
        onBack={pages.length > 1 ? () => setPages(back(pages)) : undefined}
        onNext={value?.next ? () => setPages(forward(pages, value.next ?? undefined)) : undefined}
      />
    </Section>
  );
}

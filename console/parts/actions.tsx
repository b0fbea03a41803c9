import { useCallback } from 'preact/hooks';
import { clock } from '../model/format.ts';
import type { ActionPage } from '../model/wire.ts';
import { useApi } from './api-context.ts';
import { Awaited } from './awaited.tsx';
import { Pager } from './pager.tsx';
import { Section } from './section.tsx';
import { Table } from './table.tsx';
import { usePages } from './use-pages.ts';
import { usePolled } from './use-polled.ts';

const LIMIT = 20;
/** Colleagues act, too. */
const EVERY_MS = 5_000;

/** Who did what, newest first. Discards are among the dead letters. */
export function Actions() {
  const api = useApi();
  const { after: before, turns } = usePages<number | undefined>(undefined);
  const ask = useCallback(
    (signal: AbortSignal) => {
      const from = before === undefined ? '' : `&before=${before}`;
      return api.json<ActionPage>('GET', `/ops/v1/actions?limit=${LIMIT}${from}`, { signal });
    },
    [api, before],
  );
  const polled = usePolled(ask, EVERY_MS);
  return (
    <Section id="actions" title="What operators did">
      <Awaited of={polled} without="They are kept in PostgreSQL.">
        {({ actions }) =>
          actions.length === 0 ? (
            <p>Nothing yet.</p>
          ) : (
            <Table
              caption="Newest first; discards are among the dead letters"
              columns={['When', 'What', 'Of', 'By']}
            >
              {actions.map(({ id, at, action, subject, by }) => (
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
          )
        }
      </Awaited>
      <Pager of="actions" {...turns(polled.value?.next)} />
    </Section>
  );
}

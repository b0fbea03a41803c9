import type { Readiness } from '../model/wire.ts';
import { Awaited } from './awaited.tsx';
import { Section } from './section.tsx';
import { Table } from './table.tsx';
import type { Polled } from './use-polled.ts';

/** How each part of the system is, as the API process that answers sees it. */
export function Dependencies({ readiness }: { readonly readiness: Polled<Readiness> }) {
  return (
    <Section id="dependencies" title="Dependencies">
      <Awaited of={readiness} without="Nothing is known of them.">
        {(value) => (
          <Table
            caption={`Of the API process that answers; it is ${value.status}`}
            columns={['Dependency', 'State', 'What is wrong', 'What that means']}
          >
            {value.dependencies.map(({ dependency, ok, problem: wrong, impact }) => (
              <tr key={dependency} class={ok ? '' : 'down'}>
                <th scope="row" data-label="Dependency">
                  {dependency}
                </th>
                <td data-label="State">{ok ? '✓ well' : '✗ down'}</td>
                <td data-label="What is wrong">{wrong}</td>
                <td data-label="What that means">{impact}</td>
              </tr>
            ))}
          </Table>
        )}
      </Awaited>
    </Section>
  );
}

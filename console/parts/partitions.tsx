import { count } from '../model/format.ts';
import { batchesInWords, oldestInWords, unknownInWords } from '../model/summary-words.ts';
import type { PartitionSummary } from '../model/wire.ts';
import { Section } from './section.tsx';
import { Table } from './table.tsx';

const COLUMNS = ['Partition', 'Not persisted', 'Oldest', 'Batches', 'Slots', 'Newest error', 'Not known'];

/** Where writes wait. */
export function Partitions({ partitions }: { readonly partitions: readonly PartitionSummary[] }) {
  return (
    <Section id="partitions" title="Partitions">
      <Table caption="What of each partition is not yet in PostgreSQL" columns={COLUMNS}>
        {partitions.map((one) => (
          <tr key={one.partition}>
            <th scope="row" data-label="Partition">
              {one.partition}{' '}
              <small title="The epoch changes whenever Redis lost its memory">{one.epoch ?? ''}</small>
            </th>
            <td data-label="Not persisted">{count(one.pendingEntries)}</td>
            <td data-label="Oldest">{oldestInWords(one)}</td>
            <td data-label="Batches">{batchesInWords(one.batches)}</td>
            <td data-label="Slots">
              {count(one.slotsInUse)} of {count(one.slots)}
            </td>
            <td data-label="Newest error">
              {one.newestError === null ? 'none' : `${one.newestError.type}: ${one.newestError.message}`}
            </td>
            <td data-label="Not known">{unknownInWords(one.unknown) || 'nothing'}</td>
          </tr>
        ))}
      </Table>
    </Section>
  );
}

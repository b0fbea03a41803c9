import { count, duration, rate } from '../model/format.ts';
import { HISTORY_S, type Sample } from '../model/history.ts';
import type { BatchCounts } from '../model/wire.ts';
import { Chart, type Line } from './chart.tsx';
import { Section } from './section.tsx';

const PENDING: readonly Line<Sample>[] = [
  { name: 'not persisted', colour: '--line-1', of: ({ pending }) => pending },
  { name: 'in Redis alone', colour: '--line-2', of: ({ staged }) => staged },
];
const AGE: readonly Line<Sample>[] = [
  { name: 'oldest', colour: '--line-4', of: ({ ageSeconds }) => ageSeconds },
];
const THROUGHPUT: readonly Line<Sample>[] = [
  { name: 'accepted', colour: '--line-1', of: ({ rates }) => rates.accepted },
  { name: 'queued', colour: '--line-2', of: ({ rates }) => rates.queued },
  { name: 'persisted', colour: '--line-3', of: ({ rates }) => rates.persisted },
];
const inState = (state: keyof BatchCounts, colour: string): Line<Sample> => ({
  name: state,
  colour,
  of: ({ batches }) => batches[state],
});
const BATCHES: readonly Line<Sample>[] = [
  inState('staged', '--line-2'),
  inState('persisting', '--line-1'),
  inState('retrying', '--line-5'),
  inState('stuck', '--line-4'),
  inState('releasing', '--line-3'),
];

/** The last ten minutes, as far as this page was open. */
export function Charts({ samples }: { readonly samples: readonly Sample[] }) {
  return (
    <Section id="charts" title={`The last ${HISTORY_S / 60} minutes`}>
      <div class="charts">
        <Chart title="Oldest unpersisted write" lines={AGE} samples={samples} format={duration} />
        <Chart title="Entries not persisted" lines={PENDING} samples={samples} format={count} />
        <Chart title="Throughput, entries a second" lines={THROUGHPUT} samples={samples} format={rate} />
        <Chart title="Batches by state" lines={BATCHES} samples={samples} format={count} />
      </div>
    </Section>
  );
}

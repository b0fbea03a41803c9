import { bytes, count } from '../model/format.ts';
import { batchesInWords, oldestInWords } from '../model/summary-words.ts';
import type { Summary } from '../model/wire.ts';
import { Section } from './section.tsx';

/** The API counts no further. */
const COUNTED = 100_000;

/** The figures of this moment. */
export function Figures({ summary }: { readonly summary: Summary }) {
  const { pendingEntries, stagedEntries, stagedBytes, slots, slotsInUse, batches, deadLetters } = summary;
  const dead = deadLetters?.dead ?? null;
  return (
    <Section id="figures" title="Now">
      <dl class="figures">
        <Figure name="Oldest unpersisted write">{oldestInWords(summary)}</Figure>
        <Figure name="Entries not persisted">{count(pendingEntries)}</Figure>
        <Figure name="Of them in Redis alone">
          {count(stagedEntries)} <small>{bytes(stagedBytes)}</small>
        </Figure>
        <Figure name="Open batches">{batchesInWords(batches)}</Figure>
        <Figure name="Slots in use">
          {count(slotsInUse)} <small>of {count(slots)}</small>
        </Figure>
        <Figure name="Dead letters">
          {count(dead)}
          {dead === COUNTED ? ' or more' : ''}
        </Figure>
      </dl>
    </Section>
  );
}

function Figure({ name, children }: { readonly name: string; readonly children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

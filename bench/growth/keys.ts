import { progress } from '../entry.ts';
import { startHoldfast } from '../start-holdfast.ts';
import { type Footprint, footprint } from './footprint.ts';
import { fillUp, removeMeasured } from './rows.ts';
import { type Planned, ROUNDS, type Sample, takeSamples } from './samples.ts';
import { nextNumber, type Setting, using } from './setting.ts';
import { footprintTable, probeTables } from './tables.ts';

const CLIENTS = 64;
const PLAN: readonly Planned[] = (['new', 'over', 'miss', 'hit', 'increment'] as const).map((probe) => ({
  probe,
  clients: CLIENTS,
}));

const WORDS = `## Keys

One Holdfast whose table was filled up further and further, by SQL, with rows of 100 B as it leaves them itself. Before each round the rows that the
last one had added were removed, the table was vacuumed, and all cached copies were taken from Redis, as Redis does itself when its memory is short.`;

/** How cost grows with the number of keys: the section of the report. */
export async function measureKeys({ services, reference, load, options }: Setting): Promise<string> {
  const samples: Sample[] = [];
  const sizes: [string, Footprint][] = [];
  await using(startHoldfast(services, { number: nextNumber(), settings: {} }), async (holdfast) => {
    let filled = 0;
    for (const rows of options.keys) {
      const step = rows.toLocaleString('en-US');
      progress(`keys: filling up to ${step}`);
      await fillUp(holdfast, filled, rows);
      const bench = { subject: { holdfast, rows }, reference, load, timing: options };
      // The first requests of all meet code that is not compiled yet.
      if (filled === 0) await takeSamples(step, PLAN, bench);
      filled = rows;
      for (let round = 0; round < ROUNDS; round += 1) {
        await removeMeasured(holdfast);
        samples.push(...(await takeSamples(step, PLAN, bench)));
      }
      await removeMeasured(holdfast);
      sizes.push([step, await footprint(services, holdfast)]);
    }
  });
  return [WORDS, probeTables('keys', samples), '### Sizes', footprintTable('keys', sizes)].join('\n\n');
}

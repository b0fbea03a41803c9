import type { Sample } from '../model/history.ts';
import type { Readiness, Summary } from '../model/wire.ts';
import { Actions } from './actions.tsx';
import { Charts } from './charts.tsx';
import { DeadLetters } from './dead-letters.tsx';
import { Dependencies } from './dependencies.tsx';
import { Draining } from './draining.tsx';
import { Figures } from './figures.tsx';
import { Inspector } from './inspector.tsx';
import { Partitions } from './partitions.tsx';
import { Troubled } from './troubled-batches.tsx';
import type { Polled } from './use-polled.ts';

interface Props {
  readonly summary: Summary;
  readonly samples: readonly Sample[];
  readonly readiness: Polled<Readiness>;
}

/** All below the verdict, what matters most first. */
export function Board({ summary, samples, readiness }: Props) {
  return (
    <main>
      <Draining draining={summary.draining} />
      <Figures summary={summary} />
      <Charts samples={samples} />
      <Troubled summary={summary} />
      <DeadLetters counts={summary.deadLetters} />
      <Partitions partitions={summary.partitions} />
      <Dependencies readiness={readiness} />
      <Inspector />
      <Actions />
    </main>
  );
}

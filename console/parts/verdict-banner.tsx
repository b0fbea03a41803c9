import { useEffect } from 'preact/hooks';
import type { Connection } from '../model/follow.ts';
import { clock, duration } from '../model/format.ts';
import { verdictOf } from '../model/verdict.ts';
import type { Dependency, Summary } from '../model/wire.ts';
import { useNow } from './use-now.ts';
import { showState } from './window-state.ts';

interface Props {
  readonly summary: Summary | undefined;
  readonly connection: Connection;
  /** When the summary came, in ms since 1970. */
  readonly receivedAt: number | undefined;
  /** The parts of the system that do not answer. */
  readonly down: readonly Dependency[];
  readonly onForget: (() => void) | undefined;
}

/** The top of the page: one sentence that says whether everything is persisted, and how old that knowledge is. */
export function VerdictBanner({ summary, connection, receivedAt, down, onForget }: Props) {
  const verdict = verdictOf(summary, connection, down);
  useEffect(() => showState(verdict.level, verdict.title), [verdict.level, verdict.title]);
  return (
    <header class={`verdict ${verdict.level}`}>
      <div class="bar">
        <span class="brand">Holdfast</span>
        <Freshness connection={connection} receivedAt={receivedAt} />
        {onForget === undefined ? null : (
          <button type="button" onClick={onForget}>
            Forget the key
          </button>
        )}
      </div>
      <h1 data-level={verdict.level}>{verdict.sentence}</h1>
      <p class="detail">{verdict.detail}</p>
      {/* Figures change each second: read aloud is only what it says when it says something else. */}
      <p class="spoken" role="status">
        {verdict.spoken}
      </p>
    </header>
  );
}

function Freshness({ connection, receivedAt }: Pick<Props, 'connection' | 'receivedAt'>) {
  const now = useNow();
  if (connection.state === 'live' && receivedAt !== undefined) {
    return <span class="freshness">Live, {clock(receivedAt)}</span>;
  }
  if (receivedAt === undefined) return <span class="freshness">Connecting…</span>;
  const why = connection.state === 'lost' ? connection.why : 'Connecting…';
  return (
    <span class="freshness old">
      {why} The figures are {duration(Math.max(0, (now - receivedAt) / 1_000))} old, of {clock(receivedAt)}.
    </span>
  );
}

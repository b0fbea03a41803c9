import { useEffect, useReducer } from 'preact/hooks';
import type { Api } from '../model/call.ts';
import { type Connection, follow } from '../model/follow.ts';
import { remember, type Sample } from '../model/history.ts';
import type { Summary } from '../model/wire.ts';

/** What came over the stream of events so far. */
interface Followed {
  readonly summary: Summary | undefined;
  readonly samples: readonly Sample[];
  readonly connection: Connection;
  /** When the summary came, in ms since 1970. */
  readonly receivedAt: number | undefined;
}

type News = { readonly summary: Summary } | { readonly connection: Connection } | { readonly forget: true };

const NOTHING: Followed = {
  summary: undefined,
  samples: [],
  connection: { state: 'connecting' },
  receivedAt: undefined,
};

function reduce(known: Followed, news: News): Followed {
  if ('forget' in news) return NOTHING;
  if ('connection' in news) return { ...known, connection: news.connection };
  const { summary } = news;
  return { ...known, summary, samples: remember(known.samples, summary), receivedAt: Date.now() };
}

/** Follows the summaries of an API for as long as the page is there. Another API begins anew. */
export function useFollow(api: Api): Followed {
  const [followed, tell] = useReducer(reduce, NOTHING);
  useEffect(() => {
    const ending = new AbortController();
    tell({ forget: true });
    void follow({
      open: (signal) => api.open('GET', '/ops/v1/events', { signal }),
      onSummary: (summary) => tell({ summary }),
      onConnection: (connection) => tell({ connection }),
      signal: ending.signal,
    });
    return () => ending.abort();
  }, [api]);
  return followed;
}

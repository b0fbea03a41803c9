import { useState } from 'preact/hooks';
import { back, current, forward, type Pages } from '../model/pages.ts';

/** Reads a list in pages. `first`: what asks for the first one. */
export function usePages<Cursor>(first: Cursor) {
  const [pages, setPages] = useState<Pages<Cursor>>([first]);
  return {
    /** What asks for the page that is shown. */
    after: current(pages),
    restart: () => setPages([first]),
    /** What a `Pager` does. `next`: what asks for the next page; nothing where there is none, or nobody knows. */
    turns: (next: Cursor | null | undefined) => ({
      onBack: pages.length > 1 ? () => setPages(back(pages)) : undefined,
      onNext: next === null || next === undefined ? undefined : () => setPages(forward(pages, next)),
    }),
  };
}

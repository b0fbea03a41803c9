/** Where in a list that is read in pages: the `after` of each page up to the one that is shown. */
export type Pages<Cursor> = readonly [Cursor, ...Cursor[]];

/** The `after` of the page that is shown. */
export function current<Cursor>(pages: Pages<Cursor>): Cursor {
  return pages.at(-1) ?? pages[0];
}

/** The page after the one that is shown. */
export function forward<Cursor>(pages: Pages<Cursor>, next: Cursor): Pages<Cursor> {
  return [...pages, next];
}

/** The page before the one that is shown; the first one stays. */
export function back<Cursor>(pages: Pages<Cursor>): Pages<Cursor> {
  const [first, ...rest] = pages;
  return [first, ...rest.slice(0, -1)];
}

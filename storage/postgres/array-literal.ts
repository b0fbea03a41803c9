/**
 * Arrays as PostgreSQL's input syntax has them, for `${…}::bigint[]` and `::text[]`. `pg` writes the same, element by element
 * through its conversions of any value: for the thousands of values of a batch that is most of what a batch costs.
 */

/** Whole numbers: nothing that would need quotes. */
export function numberArray(values: readonly number[]): string {
  return `{${values.join(',')}}`;
}

/** Texts; `null` is NULL. */
export function textArray(values: readonly (string | null)[]): string {
  // What a quoted element escapes, JSON escapes in the same way, and the rest only where a value holds what `quoted` is for.
  if (values.every((value) => value === null || isPlain(value))) {
    return `{${JSON.stringify(values).slice(1, -1)}}`;
  }
  return `{${values.map((value) => (value === null ? 'NULL' : quoted(value))).join(',')}}`;
}

function isPlain(value: string): boolean {
  return !CONTROL.test(value) && value.isWellFormed();
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
const CONTROL = /[\u0000-\u001f]/;

function quoted(value: string): string {
  return `"${value.replace(/["\\]/g, '\\$&')}"`;
}

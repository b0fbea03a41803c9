import { endOfString, skipSpace } from './json-token.ts';

/** One member of an object, as places in the text that holds it. */
export interface Member {
  /** Unescaped: `"a"` and `"\u0061"` are one member. */
  readonly name: string;
  readonly nameStart: number;
  readonly valueStart: number;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

// All of these take text that is JSON already (`checkJson`, or what PostgreSQL printed), and do not look for mistakes. They
// answer places and not values: a value is copied as it is written, its numbers unrounded.

export function isObjectAt(text: string, start: number): boolean {
  return text.charCodeAt(start) === OPEN_BRACE;
}

/**
 * Goes over the members of the object that begins at `start` and answers the place after it. `visit` answers where the value
 * of the member ends, so that whoever looks into a value need not go over it twice.
 */
export function walkMembers(text: string, start: number, visit: (member: Member) => number): number {
  let i = skipSpace(text, start + 1);
  while (text.charCodeAt(i) !== CLOSE_BRACE) {
    const nameEnd = endOfString(text, i);
    const raw = text.slice(i + 1, nameEnd - 1);
    const name = raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw;
    // The colon lies between the two.
    const valueStart = skipSpace(text, skipSpace(text, nameEnd) + 1);
    i = skipSpace(text, visit({ name, nameStart: i, valueStart }));
    if (text.charCodeAt(i) === COMMA) i = skipSpace(text, i + 1);
  }
  return i + 1;
}

/**
 * Goes over the elements of the array that begins at `start` and answers the place after it. `visit` is told where each begins,
 * and answers where it ends.
 */
export function walkElements(
  text: string,
  start: number,
  visit: (valueStart: number, index: number) => number,
): number {
  let i = skipSpace(text, start + 1);
  for (let index = 0; text.charCodeAt(i) !== CLOSE_BRACKET; index += 1) {
    i = skipSpace(text, visit(i, index));
    if (text.charCodeAt(i) === COMMA) i = skipSpace(text, i + 1);
  }
  return i + 1;
}

/** The place after the value that begins at `start`. Counts brackets: no nesting can overflow the program's stack. */
export function endOfValue(text: string, start: number): number {
  let depth = 0;
  for (let i = start; ; ) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) i = endOfString(text, i);
    else if (c === OPEN_BRACE || c === OPEN_BRACKET) {
      depth += 1;
      i += 1;
    } else if (c === CLOSE_BRACE || c === CLOSE_BRACKET) {
      depth -= 1;
      i += 1;
    } else if (depth > 0 && !(c > 0x20 && c !== COMMA)) {
      i += 1;
    } else {
      i = endOfScalar(text, i);
    }
    if (depth === 0) return i;
  }
}

/** A number or literal, or between two values a colon: up to what may follow it. */
function endOfScalar(text: string, start: number): number {
  let i = start + 1;
  for (;;) {
    const c = text.charCodeAt(i);
    // Not a number at the end of the text: then the comparison is false, too.
    if (!(c > 0x20) || c === COMMA || c === QUOTE || c === CLOSE_BRACE || c === CLOSE_BRACKET) return i;
    if (c === OPEN_BRACE || c === OPEN_BRACKET) return i;
    i += 1;
  }
}

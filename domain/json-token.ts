const QUOTE = 0x22;
const ZERO = 0x30;
const NINE = 0x39;
const BACKSLASH = 0x5c;
const SMALL_U = 0x75;

/** What may follow a backslash beside `u`. */
const ESCAPED_BY_ONE_CHARACTER = new Set(Array.from('"\\/bfnrt', (character) => character.charCodeAt(0)));

export function skipSpace(text: string, start: number): number {
  let i = start;
  for (;;) {
    const c = text.charCodeAt(i);
    if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return i;
    i += 1;
  }
}

/** A run of characters that stand for themselves. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters end the run
const PLAIN_CHARACTERS = /[^"\\\u0000-\u001f\ud800-\udfff]*/y;

/** A loop is faster for the first few characters, a regular expression for what may follow. */
const FEW_CHARACTERS = 16;

/** The place after the closing quote. */
export function endOfString(text: string, start: number): number {
  let i = start + 1;
  for (;;) {
    const soon = i + FEW_CHARACTERS;
    let c = text.charCodeAt(i);
    while (isPlain(c) && i < soon) c = text.charCodeAt(++i);
    if (i === soon) {
      PLAIN_CHARACTERS.lastIndex = i;
      PLAIN_CHARACTERS.test(text);
      i = PLAIN_CHARACTERS.lastIndex;
      c = text.charCodeAt(i);
    }
    if (c === QUOTE) return i + 1;
    if (c === BACKSLASH) i = endOfEscape(text, i);
    else if (i >= text.length) throw new Fault(i, 'the text ends inside a string');
    else if (c < 0x20) throw new Fault(i, 'a control character in a string must be escaped');
    else if (!isSurrogate(c)) i += 1;
    else if (isHighSurrogate(c) && isLowSurrogate(text.charCodeAt(i + 1))) i += 2;
    else throw loneSurrogate(i);
  }
}

function isPlain(c: number): boolean {
  return c >= 0x20 && c < 0xd800 && c !== QUOTE && c !== BACKSLASH;
}

function endOfEscape(text: string, start: number): number {
  const c = text.charCodeAt(start + 1);
  if (c !== SMALL_U) {
    if (ESCAPED_BY_ONE_CHARACTER.has(c)) return start + 2;
    throw new Fault(start, 'not an escape sequence of JSON');
  }
  const unit = escapedUnit(text, start);
  if (unit === 0) throw new Fault(start, 'a string must not contain NUL');
  if (!isSurrogate(unit)) return start + 6;
  // The other half must be escaped too: `jsonb` does not join an escape with a raw character.
  if (
    isHighSurrogate(unit) &&
    text.startsWith('\\u', start + 6) &&
    isLowSurrogate(escapedUnit(text, start + 6))
  ) {
    return start + 12;
  }
  throw loneSurrogate(start);
}

/** The code unit of the `\uXXXX` at `start`. */
function escapedUnit(text: string, start: number): number {
  const digits = text.slice(start + 2, start + 6);
  if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw new Fault(start, '"\\u" needs four hexadecimal digits');
  return Number.parseInt(digits, 16);
}

export function endOfLiteral(text: string, start: number): number {
  for (const literal of ['true', 'false', 'null']) {
    if (text.startsWith(literal, start)) return start + literal.length;
  }
  throw unexpected(text, start, 'a value');
}

export function isDigit(c: number): boolean {
  return c >= ZERO && c <= NINE;
}

function isSurrogate(c: number): boolean {
  return c >= 0xd800 && c <= 0xdfff;
}

function isHighSurrogate(c: number): boolean {
  return c >= 0xd800 && c <= 0xdbff;
}

function isLowSurrogate(c: number): boolean {
  return c >= 0xdc00 && c <= 0xdfff;
}

export function unexpected(text: string, offset: number, wanted: string): Fault {
  return new Fault(
    offset,
    offset < text.length ? `expected ${wanted}` : `the text ends where ${wanted} was expected`,
  );
}

function loneSurrogate(offset: number): Fault {
  return new Fault(offset, 'a string must not contain half of a surrogate pair');
}

/** Ends the scan at the first problem. Not an `Error`: `checkJson` always catches it, so it needs no stack trace. */
export class Fault {
  readonly offset: number;
  readonly message: string;

  constructor(offset: number, message: string) {
    this.offset = offset;
    this.message = message;
  }
}

import { endOfDecimal, endOfExponent, isExponent, writtenOut } from './json-number.ts';
import { endOfString, isDigit, skipSpace } from './json-token.ts';

const QUOTE = 0x22;
const MINUS = 0x2d;

/**
 * Whether a value may be stored: its text and its compact form have at most `maxBytes`. The compact form is what `jsonb`
 * prints, less the spaces: however a value is spelled, it is the same, but for the order of members. PostgreSQL's text of it has a
 * space more for each comma and colon, so at most half as much again.
 * @param growth of the text, or of one that contains it: see `inspectJson`. Without it the compact form is never the longer one.
 */
export function fitsWrittenOut(text: string, growth: number, maxBytes: number): boolean {
  // No character has more than three bytes for each of its code units.
  if (text.length * 3 + growth <= maxBytes) return true;
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) return false;
  return bytes + growth <= maxBytes || compactWithin(text, maxBytes) !== undefined;
}

/**
 * The compact form of a text that was inspected: no spaces, no escapes that are not needed, numbers written out. `undefined`
 * once it has more than `maxBytes`: what would be fifty times as long as the text is never made.
 */
export function compactWithin(text: string, maxBytes: number): string | undefined {
  let compact = '';
  let bytes = 0;
  for (let i = skipSpace(text, 0); i < text.length; ) {
    const end = endOfToken(text, i);
    const token = spelledByJsonb(text.slice(i, end));
    bytes += Buffer.byteLength(token);
    if (bytes > maxBytes) return undefined;
    compact += token;
    i = skipSpace(text, end);
  }
  return compact;
}

function endOfToken(text: string, start: number): number {
  const c = text.charCodeAt(start);
  if (c === QUOTE) return endOfString(text, start);
  if (c === MINUS || isDigit(c)) {
    const end = endOfDecimal(text, start);
    return isExponent(text.charCodeAt(end)) ? endOfExponent(text, start, end) : end;
  }
  // A letter of a literal counts as a token: there is no space inside.
  return start + 1;
}

function spelledByJsonb(token: string): string {
  const c = token.charCodeAt(0);
  if (c === QUOTE) return token.includes('\\') ? JSON.stringify(JSON.parse(token)) : token;
  return c === MINUS || isDigit(c) ? writtenOut(token) : token;
}

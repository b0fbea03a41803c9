import { endOfDecimal, endOfExponent, growthOfExponent, isExponent } from './json-number.ts';
import { endOfLiteral, endOfString, Fault, isDigit, skipSpace, unexpected } from './json-token.ts';

/** Why a text cannot be stored. `message` never holds a part of the text; `path` holds member names. */
export interface JsonProblem {
  /** Where in the text, in UTF-16 code units. */
  readonly offset: number;
  /** JSON Pointer (RFC 6901) of the value, member or container in which the problem is. */
  readonly path: string;
  readonly message: string;
}

export interface JsonLimits {
  /** How many arrays and objects may be inside each other; a bare number or string has depth 0. */
  readonly maxDepth?: number;
}

export const MAX_JSON_DEPTH = 100;

/** Up to here a member name is compared with each one before it: cheaper than a set for the usual small object. */
const FEW_NAMES = 8;

/** An array or object that is not closed yet. */
interface Container {
  readonly close: typeof CLOSE_BRACE | typeof CLOSE_BRACKET;
  /** The index of the array's current element. */
  index: number;
  /** The unescaped name of the object's current member; `undefined` until it was read. */
  name: string | undefined;
  /** The names seen so far: `few` for the first ones, `many` for all once there are more. */
  readonly few: string[];
  many: Set<string> | undefined;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * Checks that `text` is JSON exactly as RFC 8259 has it and that PostgreSQL's `jsonb` keeps it as it is. Refused beside
 * what is not JSON: NUL and lone surrogates (`jsonb` rejects them), a member name twice in one object (it would keep the
 * last one silently), and numbers and nesting past the limits above. Time and memory are linear in the text, whatever
 * it holds. `undefined` means: fine to store.
 */
export function checkJson(text: string, limits: JsonLimits = {}): JsonProblem | undefined {
  const found = inspectJson(text, limits);
  return typeof found === 'number' ? undefined : found;
}

/**
 * As `checkJson`; of a text that is fine to store, by how many bytes at most it grows when `jsonb` writes its numbers out:
 * 0 where none has an exponent.
 */
export function inspectJson(text: string, limits: JsonLimits = {}): JsonProblem | number {
  const open: Container[] = [];
  try {
    return scan(text, limits.maxDepth ?? MAX_JSON_DEPTH, open);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { offset: error.offset, path: pointer(open), message: error.message };
  }
}

/** Walks over the text with a stack of its own, so that no nesting can overflow the program's. Answers its growth. */
function scan(text: string, maxDepth: number, open: Container[]): number {
  let growth = 0;
  let i = skipSpace(text, 0);
  if (i === text.length) throw new Fault(i, 'the text is empty');
  let top: Container | undefined;
  for (;;) {
    const c = text.charCodeAt(i);
    if (c === OPEN_BRACE || c === OPEN_BRACKET) {
      if (open.length >= maxDepth) throw new Fault(i, `nested deeper than ${maxDepth} levels`);
      top = {
        close: c === OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET,
        index: 0,
        name: undefined,
        few: [],
        many: undefined,
      };
      open.push(top);
      i = skipSpace(text, i + 1);
      if (text.charCodeAt(i) !== top.close) {
        if (c === OPEN_BRACE) i = endOfName(text, i, top);
        continue;
      }
    } else if (c === QUOTE) {
      i = endOfString(text, i);
    } else if (c === MINUS || isDigit(c)) {
      const start = i;
      i = endOfDecimal(text, start);
      if (isExponent(text.charCodeAt(i))) {
        const e = i;
        i = endOfExponent(text, start, e);
        growth += growthOfExponent(text, e, i);
      }
    } else {
      i = endOfLiteral(text, i);
    }

    // A value has ended: so do all containers that close here.
    for (;;) {
      i = skipSpace(text, i);
      if (top === undefined) {
        if (i < text.length) throw new Fault(i, 'more text after the end of the value');
        return growth;
      }
      const after = text.charCodeAt(i);
      i += 1;
      if (after === COMMA) {
        i = skipSpace(text, i);
        if (top.close === CLOSE_BRACE) i = endOfName(text, i, top);
        else top.index += 1;
        break;
      }
      if (after !== top.close) {
        throw unexpected(text, i - 1, top.close === CLOSE_BRACE ? '"," or "}"' : '"," or "]"');
      }
      open.pop();
      top = open[open.length - 1];
    }
  }
}

/** Reads a member name and its colon, and answers where the member's value begins. */
function endOfName(text: string, start: number, object: Container): number {
  object.name = undefined;
  if (text.charCodeAt(start) !== QUOTE) throw unexpected(text, start, 'a member name in quotes');
  const end = endOfString(text, start);
  const name = unescaped(text, start, end);
  object.name = name;
  if (isRepeated(object, name)) throw new Fault(start, 'a member name occurs twice in one object');
  const colon = skipSpace(text, end);
  if (text.charCodeAt(colon) !== COLON) throw unexpected(text, colon, '":"');
  return skipSpace(text, colon + 1);
}

/** Names are equal when they are after unescaping: `"a"` and `"\u0061"` are one member. */
function unescaped(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end - 1);
  return raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw;
}

function isRepeated(object: Container, name: string): boolean {
  if (object.many !== undefined) {
    const before = object.many.size;
    return object.many.add(name).size === before;
  }
  if (object.few.includes(name)) return true;
  object.few.push(name);
  if (object.few.length > FEW_NAMES) object.many = new Set(object.few);
  return false;
}

/** The JSON Pointer of the innermost value that was begun. */
function pointer(open: readonly Container[]): string {
  return open
    .map((container) => {
      if (container.close === CLOSE_BRACKET) return `/${container.index}`;
      return container.name === undefined
        ? ''
        : `/${container.name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    })
    .join('');
}

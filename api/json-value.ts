import { HoldfastError } from '../domain/errors.ts';
import { fitsWrittenOut } from '../domain/json-compact.ts';
import { inspectJson, type JsonLimits } from '../domain/json-text.ts';

/** An integer as JSON writes it, at most as long as 2^53. */
const INTEGER = /^[ \t\n\r]*(-?(?:0|[1-9]\d{0,15}))[ \t\n\r]*$/;
const INCREMENT =
  /^[ \t\n\r]*\{[ \t\n\r]*"by"[ \t\n\r]*:[ \t\n\r]*(-?(?:0|[1-9]\d{0,15}))[ \t\n\r]*\}[ \t\n\r]*$/;

export const COUNTER_RANGE = 'an integer within ±9007199254740991, written without fraction and exponent';

/**
 * The digits of a counter's value. `12.0` and `1e3` are refused: a counter is answered as it was sent, and has one form.
 * @throws HoldfastError invalid-request.
 */
export function counterDigits(text: string): string {
  const value = counterInteger(text);
  if (value === undefined)
    throw invalid(`The value of a counter must be ${COUNTER_RANGE}.`, '', `must be ${COUNTER_RANGE}`);
  return String(value);
}

/**
 * `by` of an increment's body: 1 where the body is empty or does not say. 0 is fine: it leaves the value, as a new version.
 * @throws HoldfastError invalid-request.
 */
export function incrementBy(text: string): number {
  if (text === '') return 1;
  return safeInteger(INCREMENT.exec(text)?.[1]) ?? unusualIncrement(text);
}

/** Every body but the usual one: nothing in it, or something wrong with it. */
function unusualIncrement(text: string): number {
  requireJsonText(text);
  const body: unknown = JSON.parse(text);
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw invalid('The body of an increment must be an object such as {"by": 5}.', '', 'must be an object');
  }
  for (const name of Object.keys(body)) {
    if (name === 'by') throw invalid(`"by" must be ${COUNTER_RANGE}.`, '/by', `must be ${COUNTER_RANGE}`);
    const path = `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    throw invalid('The body of an increment has no other member than "by".', path, 'is not known here');
  }
  return 1;
}

/**
 * By how many bytes the text may grow where it is stored: see `inspectJson`.
 * @throws HoldfastError invalid-request: not JSON, or JSON that cannot be kept as it is.
 */
export function requireJsonText(text: string, limits: JsonLimits = {}): number {
  const found = inspectJson(text, limits);
  if (typeof found === 'number') return found;
  throw invalid(
    `The body cannot be stored: ${found.message} (at character ${found.offset}).`,
    found.path,
    found.message,
  );
}

/**
 * The value of a document, as it was sent in at most `maxBytes`.
 * @param growth what `requireJsonText` answered.
 * @throws HoldfastError value-too-large where it would be once its numbers are written out.
 */
export function documentText(text: string, growth: number, maxBytes: number): string {
  if (growth === 0 || fitsWrittenOut(text, growth, maxBytes)) return text;
  throw new HoldfastError(
    'value-too-large',
    `The value is larger than the ${maxBytes} bytes allowed here: numbers are stored written out, 1e308 with 309 digits.`,
  );
}

/** The integer of a counter; `undefined` where the text is none, or not in the one form. */
export function counterInteger(text: string): number | undefined {
  return safeInteger(INTEGER.exec(text)?.[1]);
}

/** `-0` becomes `0`: PostgreSQL knows only one. */
function safeInteger(digits: string | undefined): number | undefined {
  if (digits === undefined) return undefined;
  const value = Number(digits);
  return Number.isSafeInteger(value) ? value + 0 : undefined;
}

function invalid(detail: string, path: string, message: string): HoldfastError {
  return new HoldfastError('invalid-request', detail, { errors: [{ path, message }] });
}

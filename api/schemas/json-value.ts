import { z } from 'zod';

/** NUL and half surrogate pairs: PostgreSQL's `jsonb` cannot hold them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: NUL is what this refuses
const STORABLE_TEXT = /^[^\u0000\ud800-\udfff]*$/u;

const text = z.string().regex(STORABLE_TEXT);

/**
 * Any JSON value that can be stored. Describes what `requireJsonText` checks in one pass over the text; what a parsed value
 * cannot show (a member twice, the digits of a number, 100 levels of nesting) only that knows.
 */
export const jsonValue: z.ZodType<z.core.util.JSONType> = z
  .lazy(() =>
    z.union([z.null(), z.boolean(), z.number(), text, z.array(jsonValue), z.record(text, jsonValue)]),
  )
  .meta({
    id: 'JsonValue',
    description:
      'Any JSON value. Its text is kept as it was sent, so numbers beyond 2^53 are not rounded. Not: NUL or half a surrogate pair in a string, a member twice in one object, numbers of more than 100 digits or with an exponent beyond ±308, more than 100 levels of nesting.',
  });

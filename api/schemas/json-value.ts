import { z } from 'zod';

/**
 * Text that PostgreSQL can hold. Half a surrogate pair is refused beside the pattern: not every dialect of regular expressions
 * can name one, and the document is read by many.
 */
const text = z
  .string()
  // biome-ignore lint/suspicious/noControlCharactersInRegex: NUL is what this refuses
  .regex(/^[^\u0000]*$/)
  .refine((value) => value.isWellFormed(), 'is not well-formed');

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
      'Any JSON value. Its text is kept as it was sent, so numbers beyond 2^53 are not rounded. Not: NUL or half a surrogate pair in a string, a member twice in one object, numbers of more than 100 digits or with an exponent beyond ±308, more than 100 levels of nesting. Numbers are stored written out, and count so towards the size of a value.',
  });

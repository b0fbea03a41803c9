import type { z } from 'zod';

/**
 * What an answer of a schema is made from: read-only, and with a `Date` where the schema has text, since `JSON.stringify`
 * writes one as RFC 3339. Code that says `satisfies Shape<typeof schema>` cannot leave out what the document promises.
 */
export type Shape<S extends z.ZodType> = Sendable<z.output<S>>;

type Sendable<T> = T extends string
  ? string extends T
    ? T | Date
    : T
  : T extends object
    ? { readonly [K in keyof T]: Sendable<T[K]> }
    : T;

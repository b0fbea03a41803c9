import { z } from 'zod';

/** Why somebody decided something: asked for wherever a write is given up. PostgreSQL keeps it, and keeps no NUL. */
export const reason = z
  .string()
  .trim()
  .max(500)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: NUL is what this refuses
  .regex(/^[^\s\u0000][^\u0000]*$/, 'must be 1–500 characters that say why')
  .refine((text) => text.isWellFormed(), 'is not well-formed')
  .meta({ description: 'Why, for the record.', examples: ['sent by mistake'] });

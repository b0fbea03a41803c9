import { z } from 'zod';

/** A whole number in a query: decimal digits within the bounds, `fallback` where the parameter is left out. */
export function queryInteger(min: number, max: number, fallback: number) {
  return z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(min).max(max))
    .default(fallback);
}

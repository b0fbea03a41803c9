import type { z } from 'zod';
import { HoldfastError } from '../domain/errors.ts';
import type { ApiContext } from './api-env.ts';
import { type BodyLimits, readJsonText } from './body.ts';

/**
 * The body of a request, checked against a schema. Not for values of entries: JSON.parse would round their numbers.
 * @throws HoldfastError invalid-request that names every problem; and as {@link readJsonText}.
 */
export async function readBody<T>(c: ApiContext, schema: z.ZodType<T>, limits: BodyLimits): Promise<T> {
  const text = await readJsonText(c.env.incoming, limits);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new HoldfastError('invalid-request', 'The body is not JSON.');
  }
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  throw new HoldfastError('invalid-request', 'The body is not what this path takes.', {
    errors: result.error.issues.map(({ path, message }) => ({ path: pointer(path), message })),
  });
}

/** JSON Pointer (RFC 6901). */
function pointer(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

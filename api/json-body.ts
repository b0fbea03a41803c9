import type { z } from 'zod';
import { type ErrorDetails, HoldfastError } from '../domain/errors.ts';
import type { ApiContext } from './api-env.ts';
import { type BodyLimits, readJsonText } from './body.ts';
import { requireJsonText } from './json-value.ts';

export type BodyProblem = NonNullable<ErrorDetails['errors']>[number];

/**
 * The body of a request, checked against a schema. Not for values of entries: JSON.parse would round their numbers.
 * @throws HoldfastError invalid-request that names every problem; and as {@link readJsonText}.
 */
export async function readBody<T>(c: ApiContext, schema: z.ZodType<T>, limits: BodyLimits): Promise<T> {
  const text = await readJsonText(c.env.incoming, limits);
  // Beside what is no JSON, it refuses a member twice, of which JSON.parse would silently take the last.
  requireJsonText(text);
  const result = schema.safeParse(JSON.parse(text));
  if (result.success) return result.data;
  throw new HoldfastError('invalid-request', 'The body is not what this path takes.', {
    errors: problemsOf(result.error),
  });
}

/** What a schema found, each with a JSON Pointer to it. */
export function problemsOf(error: z.ZodError): BodyProblem[] {
  return error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((name) => ({ path: pointer([...issue.path, name]), message: 'is not known here' }))
      : [{ path: pointer(issue.path), message: issue.message }],
  );
}

/** JSON Pointer (RFC 6901). */
export function pointer(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

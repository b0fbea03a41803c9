import type { z } from 'zod';
import { type ErrorDetails, HoldfastError } from '../domain/errors.ts';
import type { ApiContext } from './api-env.ts';
import { type BodyLimits, readJsonText } from './body.ts';
import { requireJsonText } from './json-value.ts';
import { MAX_ERRORS } from './named-errors.ts';

export type BodyProblem = NonNullable<ErrorDetails['errors']>[number];

/**
 * The body of a request, checked against a schema. Not for values of entries: JSON.parse would round their numbers.
 * @throws HoldfastError invalid-request that names the problems; and as {@link readJsonText}.
 */
export async function readBody<T>(c: ApiContext, schema: z.ZodType<T>, limits: BodyLimits): Promise<T> {
  const text = await readJsonText(c.env, limits);
  // Beside what is no JSON, it refuses a member twice, of which JSON.parse would silently take the last.
  requireJsonText(text);
  const result = schema.safeParse(JSON.parse(text));
  if (result.success) return result.data;
  throw new HoldfastError('invalid-request', 'The body is not what this path takes.', {
    errors: problemsOf(result.error),
  });
}

/** What a schema found, each with a JSON Pointer to it: one more than a problem names, if there are as many. */
export function problemsOf(error: z.ZodError): BodyProblem[] {
  const problems: BodyProblem[] = [];
  for (const issue of error.issues) {
    // An object may have a member of its own name for every eight bytes of the body.
    if (issue.code === 'unrecognized_keys') {
      for (const name of issue.keys.slice(0, MAX_ERRORS + 1)) {
        problems.push({ path: pointer([...issue.path, name]), message: 'is not known here' });
      }
    } else {
      problems.push({ path: pointer(issue.path), message: issue.message });
    }
    if (problems.length > MAX_ERRORS) break;
  }
  return problems;
}

/** JSON Pointer (RFC 6901). */
export function pointer(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

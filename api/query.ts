import type { z } from 'zod';
import { HoldfastError } from '../domain/errors.ts';
import type { ApiContext } from './api-env.ts';

/**
 * The query of a request, checked against a schema. A parameter that comes twice or is not percent-encoded UTF-8 is refused:
 * a lenient parser would look for another key than the one that was meant. `+` is a space, as forms have it.
 * @throws HoldfastError invalid-request that names every problem by the parameter's name.
 */
export function readQuery<T>(c: ApiContext, schema: z.ZodType<T>): T {
  const target = c.env.incoming.url ?? '';
  const from = target.indexOf('?');
  const parameters = new Map<string, string>();
  for (const part of from === -1 ? [] : target.slice(from + 1).split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = decode(equals === -1 ? part : part.slice(0, equals));
    if (parameters.has(name)) throw invalid(`a parameter of the query occurs twice: ${quoted(name)}`);
    parameters.set(name, equals === -1 ? '' : decode(part.slice(equals + 1)));
  }
  const result = schema.safeParse(Object.fromEntries(parameters));
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((name) => `${quoted(name)} is not known here`)
      : [`${issue.path.join('.')}: ${issue.message}`],
  );
  throw invalid(problems.join('; '));
}

function decode(text: string): string {
  if (text.includes('#')) throw invalid('a "#" in it is written as %23');
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw invalid('it is not valid percent-encoded UTF-8; a "%" itself is written as %25');
  }
}

function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 50));
}

function invalid(problem: string): HoldfastError {
  return new HoldfastError('invalid-request', `The query is not valid: ${problem}.`);
}

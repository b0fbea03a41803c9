import type { ErrorDetails } from '../domain/errors.ts';

/** The most mistakes that one problem names. Who makes more mends a program, and does not go from one to the next. */
export const MAX_ERRORS = 100;

/** What a problem says of what is wrong: the first mistakes, and in its `detail` that there are more. */
export function namedErrors(detail: string, errors: ErrorDetails['errors']) {
  if (errors === undefined || errors.length <= MAX_ERRORS) return { detail, errors };
  return {
    detail: `${detail} More is wrong than the ${MAX_ERRORS} mistakes that are named.`,
    errors: errors.slice(0, MAX_ERRORS),
  };
}

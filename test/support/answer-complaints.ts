import { documentProblems, type SeenAnswer } from './openapi.ts';
import type { FuzzRequest } from './request-arbitrary.ts';

/** What a request that the document allows may be refused for: the state of things, or what its collection holds. */
const REFUSED_ALL_THE_SAME =
  /"code":"([a-z-]+-not-found|precondition-failed|counter-overflow|value-too-large)"|of a counter must be|only counters|only documents|makes no sense|is not configured|atomic batch|collection of counters|must be an integer within|with this patch|exponent must be within|occurs twice/i;

/** What an answer should not have been, by the document and by what the request was. Empty where all is well. */
export function complaints(request: FuzzRequest, answer: SeenAnswer): string[] {
  const { method, target, valid, wrongBody } = request;
  const found = documentProblems(method, target, answer);
  if (answer.status === 500) found.push('500');
  const isRefused = answer.status >= 400 && answer.status < 500;
  if (valid && isRefused && !REFUSED_ALL_THE_SAME.test(answer.text)) {
    found.push(`refused although the document allows it: ${answer.text}`);
  }
  if (wrongBody && answer.status < 400) found.push('taken although the document does not allow the body');
  return found;
}

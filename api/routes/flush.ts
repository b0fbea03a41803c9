import { deciderOf } from '../access.ts';
import { jsonResponse } from '../json-response.ts';
import type { Route } from '../route.ts';
import { flushResult } from '../schemas/flush.ts';
import type { Shape } from '../schemas/shape.ts';

/** `POST /ops/v1/flush`: waits until what was accepted before it is persisted, or its deadline. Takes no body. */
export const flush: Route = {
  method: 'post',
  path: '/ops/v1/flush',
  effect: 'write',
  access: 'ops',
  operation: {
    id: 'flush',
    tag: 'Operations',
    summary: 'Wait until everything accepted so far is persisted',
    description:
      'Offers what is staged at once, and waits as long as a request may take; `left` says what is not done by then. May be repeated. Takes no body.',
    answers: { 200: { description: 'Whether all is persisted.', schema: flushResult } },
    problems: ['dependency-unavailable', 'deadline-exceeded'],
  },
  handler:
    ({ holdfast }) =>
    async (c, deadlineAt) => {
      const result: Shape<typeof flushResult> = await holdfast.operations.flush(
        { by: deciderOf(c) },
        { deadlineAt },
      );
      return jsonResponse(c, JSON.stringify(result));
    },
};

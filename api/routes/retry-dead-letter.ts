import { deciderOf } from '../access.ts';
import { deadLetterId } from '../dead-letter-id.ts';
import { jsonResponse } from '../json-response.ts';
import type { Route } from '../route.ts';
import { retriedDeadLetter } from '../schemas/dead-letter.ts';
import type { Shape } from '../schemas/shape.ts';

/** `POST /ops/v1/dead-letters/{id}/retry`: writes it into its row after all, unless that is newer. Takes no body. */
export const retryDeadLetter: Route = {
  method: 'post',
  path: '/ops/v1/dead-letters/:id/retry',
  effect: 'write',
  access: 'ops',
  operation: {
    id: 'retryDeadLetter',
    tag: 'Operations',
    summary: 'Write a dead letter into its row after all',
    description: 'Keeps its own version: where the row is newer by now, it stays as it is. Takes no body.',
    answers: { 200: { description: 'Which write is persisted now.', schema: retriedDeadLetter } },
    problems: [
      'dead-letter-not-found',
      'dead-letter-discarded',
      'dead-letter-refused',
      'dependency-unavailable',
      'deadline-exceeded',
    ],
  },
  handler:
    ({ holdfast }) =>
    async (c, deadlineAt) => {
      const by = deciderOf(c);
      const write = await holdfast.operations.retryDeadLetter(deadLetterId(c), { by }, { deadlineAt });
      const answer = { ...write, state: 'persisted' } satisfies Shape<typeof retriedDeadLetter>;
      return jsonResponse(c, JSON.stringify(answer));
    },
};

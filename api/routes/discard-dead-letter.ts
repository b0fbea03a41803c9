import { deciderOf } from '../access.ts';
import { deadLetterId } from '../dead-letter-id.ts';
import { readBody } from '../json-body.ts';
import { jsonResponse } from '../json-response.ts';
import type { Route } from '../route.ts';
import { deadLetterDecision, discardedDeadLetter } from '../schemas/dead-letter.ts';
import type { Shape } from '../schemas/shape.ts';

/** A reason, in whatever characters. */
const MAX_BODY_BYTES = 8 * 1024;

/** `POST /ops/v1/dead-letters/{id}/discard`: it will not be retried; its record stays. */
export const discardDeadLetter: Route = {
  method: 'post',
  path: '/ops/v1/dead-letters/:id/discard',
  effect: 'write',
  access: 'ops',
  operation: {
    id: 'discardDeadLetter',
    tag: 'Operations',
    summary: 'Give up a dead letter, for good',
    description: 'It will not be retried; its record stays.',
    body: {
      type: 'application/json',
      required: true,
      schema: deadLetterDecision,
      examples: { 'a reason': { reason: 'the customer has closed the account' } },
    },
    answers: { 200: { description: 'It is discarded.', schema: discardedDeadLetter } },
    problems: ['dead-letter-not-found', 'dead-letter-discarded', 'dependency-unavailable'],
  },
  handler:
    ({ holdfast }) =>
    async (c, deadlineAt) => {
      const id = deadLetterId(c);
      const decision = await readBody(c, deadLetterDecision, { maxBytes: MAX_BODY_BYTES, deadlineAt });
      await holdfast.operations.discardDeadLetter(id, { ...decision, by: deciderOf(c) });
      const answer = { id, state: 'discarded' } satisfies Shape<typeof discardedDeadLetter>;
      return jsonResponse(c, JSON.stringify(answer));
    },
};

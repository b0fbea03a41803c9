import { deadLetterId } from '../dead-letter-id.ts';
import { jsonResponse } from '../json-response.ts';
import type { Route } from '../route.ts';
import { deadLetter } from '../schemas/dead-letter.ts';
import type { Shape } from '../schemas/shape.ts';

/** `GET /ops/v1/dead-letters/{id}`: one dead letter, with its whole value. */
export const showDeadLetter: Route = {
  method: 'get',
  path: '/ops/v1/dead-letters/:id',
  effect: 'read',
  access: 'ops',
  operation: {
    id: 'showDeadLetter',
    tag: 'Operations',
    summary: 'Show a dead letter with its whole value',
    answers: { 200: { description: 'The dead letter.', schema: deadLetter } },
    problems: ['dead-letter-not-found', 'dependency-unavailable'],
  },
  handler:
    ({ holdfast }) =>
    async (c) => {
      const letter: Shape<typeof deadLetter> = await holdfast.operations.showDeadLetter(deadLetterId(c));
      return jsonResponse(c, JSON.stringify(letter));
    },
};

import { deciderOf } from '../access.ts';
import { jsonResponse } from '../json-response.ts';
import type { Route } from '../route.ts';
import { draining } from '../schemas/draining.ts';
import type { Shape } from '../schemas/shape.ts';

/** `POST /ops/v1/drain`: refuses write-behind writes, on every process and across restarts, while the queue empties. */
export const drain: Route = {
  method: 'post',
  path: '/ops/v1/drain',
  effect: 'write',
  access: 'ops',
  operation: {
    id: 'drain',
    tag: 'Operations',
    summary: 'Let the queue empty',
    description:
      'Write-behind writes are answered with `503 draining`, on every process and across restarts, until `DELETE /ops/v1/drain`. Reads, write-through writes and what was accepted before go on. Takes no body; may be repeated.',
    answers: {
      200: { description: 'The decision, which every process heeds from now on.', schema: draining },
    },
    problems: ['dependency-unavailable', 'deadline-exceeded'],
  },
  handler:
    ({ holdfast }) =>
    async (c, deadlineAt) => {
      const decided = await holdfast.operations.setDraining(true, { by: deciderOf(c) }, { deadlineAt });
      const { by, at } = decided;
      const answer: Shape<typeof draining> = { draining: decided.draining, by, at };
      return jsonResponse(c, JSON.stringify(answer));
    },
};

import { deciderOf } from '../access.ts';
import { jsonResponse } from '../json-response.ts';
import type { Route } from '../route.ts';
import { draining } from '../schemas/draining.ts';
import type { Shape } from '../schemas/shape.ts';

/** `DELETE /ops/v1/drain`: write-behind writes are taken again. */
export const resume: Route = {
  method: 'delete',
  path: '/ops/v1/drain',
  effect: 'write',
  access: 'ops',
  operation: {
    id: 'resume',
    tag: 'Operations',
    summary: 'Take writes again',
    description: 'Ends what `POST /ops/v1/drain` began. May be repeated.',
    answers: {
      200: { description: 'The decision, which every process heeds from now on.', schema: draining },
    },
    problems: ['dependency-unavailable', 'deadline-exceeded'],
  },
  handler:
    ({ holdfast }) =>
    async (c, deadlineAt) => {
      const decided = await holdfast.operations.setDraining(false, { by: deciderOf(c) }, { deadlineAt });
      const { by, at } = decided;
      const answer: Shape<typeof draining> = { draining: decided.draining, by, at };
      return jsonResponse(c, JSON.stringify(answer));
    },
};

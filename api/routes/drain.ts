import { deciderOf } from '../access.ts';
import { jsonResponse } from '../json-response.ts';
import type { Route } from '../route.ts';
import { draining as schema } from '../schemas/draining.ts';
import type { Shape } from '../schemas/shape.ts';

/** `POST /ops/v1/drain`: refuses write-behind writes, on every process and across restarts, while the queue empties. */
export const drain: Route = drainRoute('post', true, {
  id: 'drain',
  summary: 'Let the queue empty',
  description:
    'Write-behind writes are answered with `503 draining`, on every process and across restarts, until `DELETE /ops/v1/drain`. Reads, write-through writes and what was accepted before go on. Takes no body; may be repeated.',
});

/** `DELETE /ops/v1/drain`: write-behind writes are taken again. */
export const resume: Route = drainRoute('delete', false, {
  id: 'resume',
  summary: 'Take writes again',
  description: 'Ends what `POST /ops/v1/drain` began. May be repeated.',
});

function drainRoute(
  method: 'post' | 'delete',
  draining: boolean,
  words: { readonly id: string; readonly summary: string; readonly description: string },
): Route {
  return {
    method,
    path: '/ops/v1/drain',
    effect: 'write',
    access: 'ops',
    operation: {
      ...words,
      tag: 'Operations',
      answers: { 200: { description: 'The decision, which every process heeds from now on.', schema } },
      problems: ['dependency-unavailable', 'deadline-exceeded'],
    },
    handler:
      ({ holdfast }) =>
      async (c, deadlineAt) => {
        const decided = await holdfast.operations.setDraining(draining, { by: deciderOf(c) }, { deadlineAt });
        const { by, at } = decided;
        const answer: Shape<typeof schema> = { draining: decided.draining, by, at };
        return jsonResponse(c, JSON.stringify(answer));
      },
  };
}

import { deciderOf } from '../access.ts';
import { jsonResponse } from '../json-response.ts';
import type { Route } from '../route.ts';
import { retriedBatch } from '../schemas/batch-list.ts';
import type { Shape } from '../schemas/shape.ts';

/** `POST /ops/v1/batches/{workflowId}/retry`: tries a batch again at once that waits for its next attempt. Takes no body. */
export const retryBatch: Route = {
  method: 'post',
  path: '/ops/v1/batches/:workflowId/retry',
  effect: 'write',
  access: 'ops',
  operation: {
    id: 'retryBatch',
    tag: 'Operations',
    summary: 'Try a batch again at once',
    description:
      'Whether it waits for its next attempt or for a person. Where no worker answers in time, nothing will happen later, either. Takes no body.',
    answers: { 200: { description: 'It is being tried.', schema: retriedBatch } },
    problems: ['batch-not-found', 'batch-not-waiting', 'dependency-unavailable', 'deadline-exceeded'],
  },
  handler:
    ({ holdfast }) =>
    async (c, deadlineAt) => {
      const workflowId = c.req.param('workflowId') ?? '';
      const retried = await holdfast.operations.retryBatch(workflowId, { by: deciderOf(c) }, { deadlineAt });
      const answer = { workflowId, ...retried } satisfies Shape<typeof retriedBatch>;
      return jsonResponse(c, JSON.stringify(answer));
    },
};

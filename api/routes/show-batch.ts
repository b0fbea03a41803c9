import { z } from 'zod';
import { jsonResponse } from '../json-response.ts';
import { readQuery } from '../query.ts';
import type { Route } from '../route.ts';
import { shownBatch } from '../schemas/batch-list.ts';
import { queryInteger } from '../schemas/query-integer.ts';
import type { Shape } from '../schemas/shape.ts';

const query = z.strictObject({
  after: queryInteger(0, 100_000, 0).describe('How many writes to pass over: `next` of the page before.'),
  limit: queryInteger(1, 200, 50).describe('How many writes at most.'),
});

/** `GET /ops/v1/batches/{workflowId}?after=&limit=`: where a batch stands, why, and a page of its writes. */
export const showBatch: Route = {
  method: 'get',
  path: '/ops/v1/batches/:workflowId',
  effect: 'read',
  access: 'ops',
  operation: {
    id: 'showBatch',
    tag: 'Operations',
    summary: 'Show where a batch stands, and why',
    description: 'With a page of the writes that it began with. Answered without a worker, too.',
    query,
    answers: { 200: { description: 'The batch.', schema: shownBatch } },
    problems: ['batch-not-found', 'dependency-unavailable', 'deadline-exceeded'],
  },
  handler:
    ({ holdfast }) =>
    async (c, deadlineAt) => {
      const workflowId = c.req.param('workflowId') ?? '';
      const found = await holdfast.operations.showBatch(workflowId, readQuery(c, query), { deadlineAt });
      return jsonResponse(c, JSON.stringify(found satisfies Shape<typeof shownBatch>));
    },
};

import { z } from 'zod';
import { jsonResponse } from '../json-response.ts';
import { readQuery } from '../query.ts';
import type { Route } from '../route.ts';
import { batchList, batchPlace } from '../schemas/batch-list.ts';
import { queryInteger } from '../schemas/query-integer.ts';
import type { Shape } from '../schemas/shape.ts';

const query = z.strictObject({
  state: batchPlace.optional().describe('Only batches that stand there.'),
  after: z
    .string()
    .regex(/^(write-behind:p\d{2}:s\d{2})?$/, 'must be a workflow id')
    .default('')
    .describe('Only those with a higher workflow id: `next` of the page before.'),
  limit: queryInteger(1, 100, 50).describe('How many at most.'),
});

/** `GET /ops/v1/batches?state=&after=&limit=`: the batches that have a slot, in the order of their workflow ids. */
export const listBatches: Route = {
  method: 'get',
  path: '/ops/v1/batches',
  effect: 'read',
  access: 'ops',
  operation: {
    id: 'listBatches',
    tag: 'Operations',
    summary: 'List the batches that are on their way',
    description:
      'In the order of their workflow ids, in pages. Each is looked at in Temporal, at most 200 for a page.',
    query,
    answers: { 200: { description: 'A page of them.', schema: batchList } },
    problems: ['batch-not-found', 'dependency-unavailable', 'deadline-exceeded'],
  },
  handler:
    ({ holdfast }) =>
    async (c, deadlineAt) => {
      const page: Shape<typeof batchList> = await holdfast.operations.listBatches(readQuery(c, query), {
        deadlineAt,
      });
      return jsonResponse(c, JSON.stringify(page));
    },
};

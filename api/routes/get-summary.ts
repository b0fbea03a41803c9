import { jsonResponse } from '../json-response.ts';
import type { Route } from '../route.ts';
import type { Shape } from '../schemas/shape.ts';
import { summary } from '../schemas/summary.ts';

/** `GET /ops/v1/summary`: whether everything is persisted, and what is not. */
export const getSummary: Route = {
  method: 'get',
  path: '/ops/v1/summary',
  effect: 'read',
  access: 'ops',
  operation: {
    id: 'getSummary',
    tag: 'Operations',
    summary: 'See whether everything is persisted',
    description:
      'Looked at most once a second. Where a dependency is away, the answer comes all the same, and `unknown` says what is missing.',
    answers: { 200: { description: 'What waits, of all partitions and of each.', schema: summary } },
    problems: [],
  },
  handler:
    ({ holdfast }) =>
    async (c) => {
      const found: Shape<typeof summary> = await holdfast.operations.summary();
      return jsonResponse(c, JSON.stringify(found));
    },
};

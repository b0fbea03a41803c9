import { z } from 'zod';
import { jsonResponse } from '../json-response.ts';
import { readQuery } from '../query.ts';
import type { Route } from '../route.ts';
import { actionList } from '../schemas/action.ts';
import { queryInteger } from '../schemas/query-integer.ts';
import type { Shape } from '../schemas/shape.ts';

const query = z.strictObject({
  before: queryInteger(1, 999_999_999_999_999, 999_999_999_999_999).describe(
    'Only those with a lower id: `next` of the page before.',
  ),
  limit: queryInteger(1, 200, 50).describe('How many at most.'),
});

/** `GET /ops/v1/actions?before=&limit=`: what operators did, newest first. */
export const listActions: Route = {
  method: 'get',
  path: '/ops/v1/actions',
  effect: 'read',
  access: 'ops',
  operation: {
    id: 'listActions',
    tag: 'Operations',
    summary: 'List what operators did',
    description: 'Newest first, in pages. Discards are listed with the dead letters they made.',
    query,
    answers: { 200: { description: 'A page of them.', schema: actionList } },
    problems: ['dependency-unavailable'],
  },
  handler:
    ({ holdfast }) =>
    async (c) => {
      const page = readQuery(c, query);
      const actions = await holdfast.operations.listActions(page);
      const last = actions.length < page.limit ? undefined : actions.at(-1);
      const list: Shape<typeof actionList> = { actions, next: last?.id ?? null };
      return jsonResponse(c, JSON.stringify(list));
    },
};

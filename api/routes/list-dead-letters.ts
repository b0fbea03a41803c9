import { z } from 'zod';
import { jsonResponse } from '../json-response.ts';
import { readQuery } from '../query.ts';
import type { Route } from '../route.ts';
import { deadLetterList } from '../schemas/dead-letter.ts';
import { queryInteger } from '../schemas/query-integer.ts';
import type { Shape } from '../schemas/shape.ts';

const MAX_LIMIT = 200;

const query = z.strictObject({
  after: queryInteger(0, 999_999_999_999_999, 0).describe(
    'Only those with a higher id: `next` of the page before.',
  ),
  limit: queryInteger(1, MAX_LIMIT, 50).describe('How many at most.'),
  state: z.enum(['dead', 'discarded']).optional().describe('Only those that wait, or were given up.'),
});

/** `GET /ops/v1/dead-letters?after=&limit=`: oldest first; `next` is the `after` of the next page, or null. */
export const listDeadLetters: Route = {
  method: 'get',
  path: '/ops/v1/dead-letters',
  effect: 'read',
  access: 'ops',
  operation: {
    id: 'listDeadLetters',
    tag: 'Operations',
    summary: 'List the writes that did not reach their rows',
    description: 'Oldest first, in pages.',
    query,
    answers: { 200: { description: 'A page of them.', schema: deadLetterList } },
    problems: ['dependency-unavailable'],
  },
  handler:
    ({ holdfast }) =>
    async (c) => {
      const page = readQuery(c, query);
      const deadLetters = await holdfast.operations.listDeadLetters(page);
      const last = deadLetters.length < page.limit ? undefined : deadLetters.at(-1);
      const list = { deadLetters, next: last?.id ?? null } satisfies Shape<typeof deadLetterList>;
      return jsonResponse(c, JSON.stringify(list));
    },
};

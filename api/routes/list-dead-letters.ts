import { z } from 'zod';
import { HoldfastError } from '../../domain/errors.ts';
import { jsonResponse } from '../json-response.ts';
import type { Route } from '../route.ts';

const MAX_LIMIT = 200;

const wholeNumber = z.string().regex(/^\d{1,15}$/, 'must be a whole number');
const query = z.strictObject({
  after: wholeNumber.default('0').transform(Number),
  limit: wholeNumber.default('50').transform(Number).pipe(z.number().min(1).max(MAX_LIMIT)),
});

/** `GET /ops/v1/dead-letters?after=&limit=`: oldest first; `next` is the `after` of the next page, or null. */
export const listDeadLetters: Route = {
  method: 'get',
  path: '/ops/v1/dead-letters',
  effect: 'read',
  access: 'ops',
  handler:
    ({ holdfast }) =>
    async (c) => {
      const page = query.safeParse(c.req.query());
      if (!page.success) {
        const problems = page.error.issues.map(({ path, message }) =>
          path.length === 0 ? message : `${path.join('.')}: ${message}`,
        );
        throw new HoldfastError('invalid-request', `The query is not valid: ${problems.join('; ')}.`);
      }
      const deadLetters = await holdfast.operations.listDeadLetters(page.data);
      const last = deadLetters.length < page.data.limit ? undefined : deadLetters.at(-1);
      return jsonResponse(c, JSON.stringify({ deadLetters, next: last?.id ?? null }));
    },
};

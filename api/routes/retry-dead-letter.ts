import { deciderOf } from '../access.ts';
import { deadLetterId } from '../dead-letter-id.ts';
import { jsonResponse } from '../json-response.ts';
import type { Route } from '../route.ts';

/** `POST /ops/v1/dead-letters/{id}/retry`: writes it into its row after all, unless that is newer. Takes no body. */
export const retryDeadLetter: Route = {
  method: 'post',
  path: '/ops/v1/dead-letters/:id/retry',
  effect: 'write',
  access: 'ops',
  handler:
    ({ holdfast }) =>
    async (c, deadlineAt) => {
      const by = deciderOf(c);
      const write = await holdfast.operations.retryDeadLetter(deadLetterId(c), { by }, { deadlineAt });
      return jsonResponse(c, JSON.stringify({ ...write, state: 'persisted' }));
    },
};

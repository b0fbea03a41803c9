import { z } from 'zod';
import { deciderOf } from '../access.ts';
import { deadLetterId } from '../dead-letter-id.ts';
import { readBody, reason } from '../json-body.ts';
import { jsonResponse } from '../json-response.ts';
import type { Route } from '../route.ts';

/** A reason, in whatever characters. */
const MAX_BODY_BYTES = 8 * 1024;

const body = z.strictObject({ reason });

/** `POST /ops/v1/dead-letters/{id}/discard`: it will not be retried; its record stays. */
export const discardDeadLetter: Route = {
  method: 'post',
  path: '/ops/v1/dead-letters/:id/discard',
  effect: 'write',
  access: 'ops',
  handler:
    ({ holdfast }) =>
    async (c, deadlineAt) => {
      const id = deadLetterId(c);
      const decision = await readBody(c, body, { maxBytes: MAX_BODY_BYTES, deadlineAt });
      await holdfast.operations.discardDeadLetter(id, { ...decision, by: deciderOf(c) });
      return jsonResponse(c, JSON.stringify({ id, state: 'discarded' }));
    },
};

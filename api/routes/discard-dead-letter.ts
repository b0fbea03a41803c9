import { z } from 'zod';
import type { ApiDeps, ApiHandler } from '../api-env.ts';
import { deadLetterId } from '../dead-letter-id.ts';
import { readBody, reason } from '../json-body.ts';
import { jsonResponse } from '../json-response.ts';
import { requestId } from '../middleware/request-id.ts';

/** A reason, in whatever characters. */
const MAX_BODY_BYTES = 8 * 1024;

const body = z.strictObject({ reason });

/** `POST /ops/v1/dead-letters/{id}/discard`: it will not be retried; its record stays. */
export function discardDeadLetter({ holdfast }: ApiDeps): ApiHandler {
  return async (c, deadlineAt) => {
    const id = deadLetterId(c);
    const decision = await readBody(c, body, { maxBytes: MAX_BODY_BYTES, deadlineAt });
    await holdfast.operations.discardDeadLetter(id, { ...decision, by: `api ${requestId(c.env)}` });
    return jsonResponse(c, JSON.stringify({ id, state: 'discarded' }));
  };
}

import type { ApiDeps, ApiHandler } from '../api-env.ts';
import { deadLetterId } from '../dead-letter-id.ts';
import { jsonResponse } from '../json-response.ts';
import { requestId } from '../middleware/request-id.ts';

/** `POST /ops/v1/dead-letters/{id}/retry`: writes it into its row after all, unless that is newer. Takes no body. */
export function retryDeadLetter({ holdfast }: ApiDeps): ApiHandler {
  return async (c, deadlineAt) => {
    const by = `api ${requestId(c.env)}`;
    const write = await holdfast.operations.retryDeadLetter(deadLetterId(c), { by }, { deadlineAt });
    return jsonResponse(c, JSON.stringify({ ...write, state: 'persisted' }));
  };
}

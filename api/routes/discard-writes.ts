import { z } from 'zod';
import { COLLECTION_NAME, keyProblem } from '../../domain/entry.ts';
import { MAX_VERSION } from '../../domain/version.ts';
import { deciderOf } from '../access.ts';
import { readBody, reason } from '../json-body.ts';
import { jsonResponse } from '../json-response.ts';
import type { Route } from '../route.ts';

const MAX_ENTRIES = 1_000;
/** So many entries with the longest keys. */
const MAX_BODY_BYTES = 1024 * 1024;

const body = z.strictObject({
  entries: z
    .array(
      z.strictObject({
        collection: z.string().regex(COLLECTION_NAME),
        key: z.string().refine((key) => keyProblem(key) === undefined, 'is no key'),
        version: z.int().min(1).max(MAX_VERSION).optional(),
      }),
    )
    .min(1)
    .max(MAX_ENTRIES),
  reason,
});

/** `POST /ops/v1/batches/{workflowId}/discard`: gives up pending writes of a batch for good. */
export const discardWrites: Route = {
  method: 'post',
  path: '/ops/v1/batches/:workflowId/discard',
  effect: 'write',
  access: 'ops',
  handler:
    ({ holdfast }) =>
    async (c, deadlineAt) => {
      const workflowId = c.req.param('workflowId') ?? '';
      const request = await readBody(c, body, { maxBytes: MAX_BODY_BYTES, deadlineAt });
      const by = deciderOf(c);
      const result = await holdfast.operations.discardWrites(workflowId, { ...request, by }, { deadlineAt });
      return jsonResponse(c, JSON.stringify(result));
    },
};

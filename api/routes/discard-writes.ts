import { deciderOf } from '../access.ts';
import { readBody } from '../json-body.ts';
import { jsonResponse } from '../json-response.ts';
import type { Route } from '../route.ts';
import { discardRequest, discardResult } from '../schemas/discard.ts';
import type { Shape } from '../schemas/shape.ts';

/** As many entries as it takes, with the longest keys. */
const MAX_BODY_BYTES = 1024 * 1024;

/** `POST /ops/v1/batches/{workflowId}/discard`: gives up pending writes of a batch for good. */
export const discardWrites: Route = {
  method: 'post',
  path: '/ops/v1/batches/:workflowId/discard',
  effect: 'write',
  access: 'ops',
  operation: {
    id: 'discardWrites',
    tag: 'Operations',
    summary: 'Give up pending writes of a batch, for good',
    description: 'May be repeated: what was discarded is answered as `already-listed`.',
    body: {
      type: 'application/json',
      required: true,
      schema: discardRequest,
      examples: {
        'one write': {
          entries: [{ collection: 'carts', key: 'ada', version: 1_790_000_000_000_000 }],
          reason: 'sent by mistake',
        },
        'whatever the batch holds of an entry': {
          entries: [{ collection: 'carts', key: 'ada' }],
          reason: 'sent by mistake',
        },
      },
    },
    answers: { 200: { description: 'What became of each entry.', schema: discardResult } },
    problems: ['batch-not-found', 'dependency-unavailable', 'deadline-exceeded'],
  },
  handler:
    ({ holdfast }) =>
    async (c, deadlineAt) => {
      const workflowId = c.req.param('workflowId') ?? '';
      const request = await readBody(c, discardRequest, { maxBytes: MAX_BODY_BYTES, deadlineAt });
      const by = deciderOf(c);
      const result: Shape<typeof discardResult> = await holdfast.operations.discardWrites(
        workflowId,
        { ...request, by },
        { deadlineAt },
      );
      return jsonResponse(c, JSON.stringify(result));
    },
};

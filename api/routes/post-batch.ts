import type { IncomingHttpHeaders } from 'node:http';
import { type Acknowledgement, satisfies } from '../../domain/acknowledgement.ts';
import { HoldfastError } from '../../domain/errors.ts';
import type { Receipt } from '../../service/receipt.ts';
import { requireAccess } from '../access.ts';
import { readBatch } from '../batch-request.ts';
import { readJsonText } from '../body.ts';
import { withIdempotencyKeys } from '../idempotency-key.ts';
import { jsonResponse } from '../json-response.ts';
import { requestId } from '../middleware/request-id.ts';
import { requireNoQuery } from '../path.ts';
import { problemJson } from '../problem.ts';
import { receiptMembers, statusOf } from '../receipt.ts';
import type { Route } from '../route.ts';
import { batchRequest, batchResult } from '../schemas/batch.ts';
import { writeOptions } from '../write-options.ts';

/** `POST /v1/batch`: many writes in one request, each for itself or all in one transaction. */
export const postBatch: Route = {
  method: 'post',
  path: '/v1/batch',
  effect: 'write',
  access: 'write',
  operation: {
    id: 'postBatch',
    tag: 'Entries',
    summary: 'Write many entries',
    description:
      'Each operation has its own result, in order: a receipt, or a problem, which has a `code`; `status` is what a request of its own would have been answered. Operations of one entry happen in order, others at once. A malformed batch is `400`, with what is wrong, and nothing of it is done. With `"atomic": true` all happen in one transaction or none does, and what stops one is a problem of the whole request.',
    headers: ['prefer', 'idempotency-key'],
    body: {
      type: 'application/json',
      required: true,
      schema: batchRequest,
      examples: {
        'three writes': {
          operations: [
            { op: 'put', collection: 'carts', key: 'ada', value: { items: ['tea'] } },
            { op: 'increment', collection: 'page-views', key: 'home', by: 2 },
            { op: 'delete', collection: 'carts', key: 'grace' },
          ],
        },
        'all or nothing': {
          atomic: true,
          operations: [
            { op: 'put', collection: 'orders', key: 'o-1', value: { total: 12.5 } },
            { op: 'delete', collection: 'orders', key: 'draft-1' },
          ],
        },
      },
    },
    answers: {
      200: {
        description: 'What became of each operation.',
        schema: batchResult,
        headers: ['preference-applied'],
        example: {
          results: [
            { status: 202, collection: 'carts', key: 'ada', version: 1_790_000_000_000_000, state: 'queued' },
            {
              status: 202,
              collection: 'page-views',
              key: 'home',
              version: 1_790_000_000_000_002,
              state: 'queued',
              value: 2,
            },
          ],
        },
      },
    },
    problems: [
      'precondition-failed',
      'idempotency-key-reused',
      'counter-overflow',
      'value-too-large',
      'dependency-unavailable',
      'outcome-unknown',
      'deadline-exceeded',
    ],
  },
  handler:
    ({ holdfast, limits, metrics }) =>
    async (c, deadlineAt) => {
      requireNoQuery(c);
      const { incoming } = c.env;
      const options = batchOptions(incoming.headers, deadlineAt);
      const text = await readJsonText(c.env, { maxBytes: limits.MAX_BATCH_BYTES, deadlineAt });
      const request = readBatch(text, holdfast.collections, limits, (name) =>
        requireAccess(c, 'write', name),
      );
      const { atomic } = request;
      const operations = withIdempotencyKeys(request.operations, incoming.headers);
      const results = atomic
        ? await holdfast.writeTogether(operations, options)
        : await holdfast.writeMany(operations, options);
      for (const one of results) if (one instanceof HoldfastError) metrics.problem(one.code);
      const id = requestId(c.env);
      const response = jsonResponse(
        c,
        `{"results":[${results.map((one) => resultJson(one, id)).join(',')}]}`,
      );
      if (options.durability !== undefined && allReached(results, options.durability)) {
        response.headers.set('preference-applied', `durability=${options.durability}`);
      }
      return response;
    },
};

/** Conditions stand in the operations: one for all of them would be meant for another kind of request. */
function batchOptions(headers: IncomingHttpHeaders, deadlineAt: number) {
  const { condition, ...options } = writeOptions(headers, deadlineAt);
  if (condition === undefined) return options;
  throw new HoldfastError(
    'invalid-request',
    'A batch takes no If-Match and no If-None-Match: "ifMatch" in an operation is its condition.',
  );
}

function resultJson(result: Receipt | HoldfastError, id: string): string {
  return result instanceof HoldfastError
    ? problemJson({ ...result.details, code: result.code, detail: result.message }, id)
    : `{"status":${statusOf(result)},${receiptMembers(result)}}`;
}

function allReached(results: readonly (Receipt | HoldfastError)[], level: Acknowledgement): boolean {
  return results.every((result) => !(result instanceof HoldfastError) && satisfies(result.state, level));
}

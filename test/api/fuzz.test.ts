import { Agent } from 'node:http';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { PROBLEMS, type ProblemCode } from '../../api/problem.ts';
import { type ErrorCode, HoldfastError } from '../../domain/errors.ts';
import { complaints } from '../support/answer-complaints.ts';
import type { FakeHoldfast } from '../support/fake-holdfast.ts';
import { createFakeOperations } from '../support/fake-operations.ts';
import { type HttpAnswer, httpCall } from '../support/http-call.ts';
import { documentProblems, operations } from '../support/openapi.ts';
import { FIRST_VERSION, type FuzzRequest, fuzzRequest } from '../support/request-arbitrary.ts';
import { startApi } from './fixture.ts';

const agent = new Agent({ keepAlive: true, maxSockets: 4 });
afterAll(() => agent.destroy());

/** What only the HTTP side can say, or what the service says by itself. */
const NOT_THROWN: readonly ProblemCode[] = [
  'route-not-found',
  'method-not-allowed',
  'request-timeout',
  'not-acceptable',
  'unauthenticated',
  'forbidden',
  'rate-limited',
  'unsupported-media-type',
  'overloaded',
  'internal',
  'collection-not-found',
  'entry-not-found',
];

const STATUSES = [200, 201, 202, 304, 400, 404, 405, 409, 412, 413, 415, 422, 503, 504];
const MOST_DRAWN = 5_000;

const SERVICE_ERRORS = (Object.keys(PROBLEMS) as ProblemCode[]).filter(
  (code) => !NOT_THROWN.includes(code),
) as ErrorCode[];

/** The problems of the service that the document lists for the operation that a request is for. */
function documentedErrors({ operationId, method }: FuzzRequest): ErrorCode[] {
  const found = operations.find(({ operation }) => operation.operationId === operationId);
  // Sent with another method, it is for another operation, or for none.
  if (found?.method !== method.toLowerCase()) return [];
  const listed = Object.values(found?.operation.responses ?? {}).flatMap((node) =>
    '$ref' in node ? (node.$ref.split('/').at(-1) as string).split('.or.') : [],
  ) as ProblemCode[];
  return listed.filter((code) => !NOT_THROWN.includes(code)) as ErrorCode[];
}

/** What the service does with the request: it works, or fails in one of the ways that are documented. */
const withService = fuzzRequest.chain((request) =>
  fc.record({
    request: fc.constant(request),
    failure: fc.oneof(
      { weight: 3, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.constantFrom(undefined, ...documentedErrors(request)) },
    ),
  }),
);

function prepare(holdfast: FakeHoldfast, failure: ErrorCode | undefined): void {
  const fail = () => {
    const details = failure === 'precondition-failed' ? { currentVersion: 2 } : {};
    if (failure !== undefined) throw new HoldfastError(failure, 'What happened.', details);
  };
  holdfast.before = fail;
  holdfast.operations = createFakeOperations(fail);
}

test('whatever is sent, the answer is what the document says', { timeout: 300_000 }, async () => {
  const { holdfast, port, logged } = await startApi();
  const url = `http://127.0.0.1:${port}`;
  const seen = new Set<number>();
  const send = async (request: FuzzRequest) => {
    const answer = await httpCall(url, { agent, ...request });
    seen.add(answer.status);
    return answer;
  };
  await fc.assert(
    fc.asyncProperty(fc.array(withService, { minLength: 1, maxLength: 5 }), async (steps) => {
      holdfast.entries.clear();
      for (const name of holdfast.collections.keys()) {
        holdfast.entries.set(`${name}/a`, { version: FIRST_VERSION, value: '1' });
      }
      for (const { request, failure } of steps) {
        prepare(holdfast, failure);
        const answer = await send(request);
        // What the service refuses, it may refuse of any request.
        expect(complaints({ ...request, valid: request.valid && failure === undefined }, answer)).toEqual([]);
        if (failure === undefined) expect(answer.status).toBeLessThan(500);
        if (request.method !== 'GET') continue;
        const head = await send({ ...request, method: 'HEAD' });
        expect(documentProblems('HEAD', request.target, head)).toEqual([]);
        expect(head.text).toBe('');
        expect([head.status, lasting(head)]).toEqual([answer.status, lasting(answer)]);
      }
      logged.length = 0;
    }),
    { numRuns: 600 },
  );
  // Each problem of the service at least once, whatever was drawn.
  for (const failure of SERVICE_ERRORS) {
    const [request] = fc.sample(
      fuzzRequest.filter((one) => one.valid && documentedErrors(one).includes(failure)),
      1,
    );
    if (request === undefined) throw new Error(`nothing is documented to answer ${failure}`);
    prepare(holdfast, failure);
    expect(complaints({ ...request, valid: false }, await send(request))).toEqual([]);
  }
  // That it was worth anything: drawn on, if need be, until every status was met.
  const unmet = () => STATUSES.filter((status) => !seen.has(status));
  for (const request of fc.sample(fuzzRequest, MOST_DRAWN)) {
    if (unmet().length === 0) break;
    prepare(holdfast, undefined);
    expect(complaints(request, await send(request))).toEqual([]);
  }
  expect(unmet()).toEqual([]);
});

/** Headers that do not change from one answer to the next, and do not depend on a body. */
function lasting({ headers }: HttpAnswer): object {
  const others = /^(date|x-request-id|keep-alive|connection|content-length|transfer-encoding)$/;
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !others.test(name)));
}

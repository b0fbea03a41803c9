import { Agent } from 'node:http';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { PROBLEMS, type ProblemCode } from '../../api/problem.ts';
import { type ErrorCode, HoldfastError } from '../../domain/errors.ts';
import type { FakeHoldfast } from '../support/fake-holdfast.ts';
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
  holdfast.operations = {
    async discardWrites(_, { entries }) {
      fail();
      return {
        batchId: '1-abc.p00.7',
        entries: entries.map(({ collection, key, version }) => ({
          collection,
          key,
          version: version ?? null,
          outcome: 'not-in-batch',
        })),
        cacheTold: true,
        workflowTold: true,
      };
    },
    async listDeadLetters() {
      fail();
      return [];
    },
    async retryDeadLetter() {
      fail();
      return { collection: 'carts', key: 'a', version: 4 };
    },
    async discardDeadLetter() {
      fail();
    },
  };
}

/** What a request that the document allows may be refused for: the state of the entry, or what its collection holds. */
const REFUSED_ALL_THE_SAME =
  /"code":"(collection-not-found|entry-not-found|precondition-failed|counter-overflow|value-too-large)"|of a counter must be|only counters|makes no sense/;

/** What the answer should not have been. Empty where all is well. */
function complaints(request: FuzzRequest, failure: ErrorCode | undefined, answer: HttpAnswer): string[] {
  const { method, target, valid, wrongBody } = request;
  const found = documentProblems(method, target, answer);
  if (answer.status === 500) found.push('500');
  if (failure === undefined && answer.status > 500) found.push(`${answer.status} although everything works`);
  if (failure === undefined && valid && answer.status >= 400 && !REFUSED_ALL_THE_SAME.test(answer.text)) {
    found.push(`refused although the document allows it: ${answer.text}`);
  }
  if (wrongBody && answer.status < 400) found.push('taken although the document does not allow the body');
  return found;
}

test('whatever is sent, the answer is what the document says', { timeout: 300_000 }, async () => {
  const { holdfast, port, logged } = await startApi();
  const url = `http://127.0.0.1:${port}`;
  const seen = new Map<number, number>();
  const send = async (request: FuzzRequest) => {
    const answer = await httpCall(url, { agent, ...request });
    seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1);
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
        expect(complaints(request, failure, answer)).toEqual([]);
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
    expect(complaints(request, failure, await send(request))).toEqual([]);
  }
  // That it was worth anything: every status was met, but those of keys, a slow client and a mistake of ours.
  const met = [...seen.keys()];
  const statuses = [...new Set(Object.values(PROBLEMS).map(({ status }) => status))];
  const expected = [
    200,
    201,
    202,
    304,
    ...statuses.filter((status) => ![401, 403, 406, 408, 429, 500].includes(status)),
  ];
  expect(expected.filter((status) => !met.includes(status))).toEqual([]);
});

/** Headers that do not change from one answer to the next. */
function lasting({ headers }: HttpAnswer): object {
  const { date: _, 'x-request-id': __, 'keep-alive': ___, connection: ____, ...others } = headers;
  const { 'content-length': _____, 'transfer-encoding': ______, ...same } = others;
  return same;
}

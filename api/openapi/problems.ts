import { PROBLEMS, type ProblemCode } from '../problem.ts';
import type { Route } from '../route.ts';
import { problem } from '../schemas/problem.ts';
import type { Node, SchemaComponents } from './components.ts';
import type { AnyAnswerHeader } from './headers.ts';

/** What an example says for the occurrence itself; a title is the same for every one. */
const DETAIL = 'What happened, what it means for the data, what to do.';

/** The problems that a route may answer although none of its own lists them. */
function commonProblems(route: Route): ProblemCode[] {
  const codes: ProblemCode[] = ['invalid-request', 'method-not-allowed', 'not-acceptable', 'internal'];
  if (route.access !== 'public') codes.push('unauthenticated', 'forbidden', 'rate-limited');
  // A parameter that is empty, or holds a slash, is another path.
  if (route.path.includes(':')) codes.push('route-not-found');
  if (route.operation?.body !== undefined) {
    codes.push('request-timeout', 'value-too-large', 'unsupported-media-type');
  }
  if (route.probe !== true) codes.push('overloaded');
  // What a request is answered that outlives its deadline.
  codes.push(route.effect === 'read' ? 'deadline-exceeded' : 'outcome-unknown');
  return codes;
}

/** The codes a route may answer, in the order of the table, by status. */
export function problemsByStatus(route: Route): Map<number, ProblemCode[]> {
  const own = new Set([...(route.operation?.problems ?? []), ...commonProblems(route)]);
  const byStatus = new Map<number, ProblemCode[]>();
  for (const [code, { status }] of Object.entries(PROBLEMS) as [ProblemCode, { status: number }][]) {
    if (own.has(code)) byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return byStatus;
}

/** The name of the response component for the codes that share a status in some route. */
export const responseName = (codes: readonly ProblemCode[]): string => codes.join('.or.');

/** Headers that belong to a code. */
const HEADERS: Readonly<Partial<Record<ProblemCode, AnyAnswerHeader>>> = {
  'method-not-allowed': 'allow',
  unauthenticated: 'www-authenticate',
  'entry-not-found': 'cache-status',
  'precondition-failed': 'etag',
};

/** The response of one status: one of `codes`. */
export function problemResponse(
  codes: readonly ProblemCode[],
  schemas: SchemaComponents,
  headers: (names: readonly AnyAnswerHeader[]) => Node,
): Node {
  const [first] = codes;
  const status = first === undefined ? 500 : PROBLEMS[first].status;
  const named = codes.map((code) => HEADERS[code]).filter((name) => name !== undefined);
  return {
    description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code].title}.`).join(' '),
    headers: headers([
      'x-request-id',
      ...(status === 503 || status === 429 ? (['retry-after'] as const) : []),
      ...named,
    ]),
    content: {
      'application/problem+json': {
        schema: {
          allOf: [schemas.toNode(problem)],
          properties: { code: { enum: codes }, status: { const: status } },
        },
        examples: Object.fromEntries(codes.map((code) => [code, { value: example(code) }])),
      },
    },
  };
}

function example(code: ProblemCode): Node {
  const { status, title } = PROBLEMS[code];
  return {
    type: `urn:holdfast:problem:${code}`,
    title,
    status,
    detail: DETAIL,
    instance: '/v1/collections/carts/entries/ada',
    code,
    requestId: '5f0c2a9b11d4-3k',
    ...(code === 'precondition-failed' ? { currentVersion: 1_790_000_000_000_000 } : {}),
    ...(code === 'dependency-unavailable' ? { dependency: 'redis' } : {}),
  };
}

import type { Answer, Operation, RequestBody, Route } from '../route.ts';
import type { Node, SchemaComponents } from './components.ts';
import { ANSWER_HEADERS, type AnyAnswerHeader, EVERY_REQUEST_HEADERS, REQUEST_HEADERS } from './headers.ts';
import { parameterNames, pathParameter, queryParameters } from './parameters.ts';
import { problemResponse, problemsByStatus, responseName } from './problems.ts';

/** What operations share, gathered while they are made. */
export interface Shared {
  readonly schemas: SchemaComponents;
  readonly responses: Record<string, Node>;
  readonly headers: Record<string, Node>;
  readonly parameters: Record<string, Node>;
}

/** One operation of the document, of a route that has one. */
export function operationNode(route: Route, operation: Operation, shared: Shared): Node {
  const { id, tag, summary, description, body } = operation;
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    parameters: parameters(route, operation, shared),
    ...(body === undefined ? {} : { requestBody: requestBody(body, shared) }),
    responses: responses(route, operation, shared),
    // Without keys in its settings, a server asks for none.
    security: route.access === 'public' ? [] : [{ apiKey: [route.access] }, {}],
  };
}

function parameters({ path }: Route, { at, query, headers = [] }: Operation, shared: Shared): Node[] {
  const reference = (name: string, node: Node) => {
    shared.parameters[name] = node;
    return { $ref: `#/components/parameters/${name}` };
  };
  return [
    ...parameterNames(path).map((name) => pathParameter(name, at?.[name], shared.schemas)),
    ...(query === undefined ? [] : queryParameters(query, shared.schemas)),
    ...headers.map((name) => reference(name, REQUEST_HEADERS[name])),
    ...Object.entries(EVERY_REQUEST_HEADERS).map(([name, node]) => reference(name, node)),
  ];
}

function requestBody({ type, required, schema, examples }: RequestBody, { schemas }: Shared): Node {
  return {
    required,
    content: {
      [type]: {
        schema: schemas.toNode(schema),
        examples: Object.fromEntries(
          Object.entries(examples).map(([words, value]) => [name(words), { summary: words, value }]),
        ),
      },
    },
  };
}

/** The names of examples have the form of names of components. */
const name = (words: string) => words.replaceAll(/[^\w.-]+/g, '-');

function responses(route: Route, { answers }: Operation, shared: Shared): Node {
  const headers = (names: readonly AnyAnswerHeader[]) => headerNodes(names, shared);
  const nodes: Record<string, Node> = {};
  for (const [status, answer] of Object.entries(answers)) nodes[status] = answerNode(answer, headers, shared);
  for (const [status, codes] of problemsByStatus(route)) {
    if (nodes[status] !== undefined)
      throw new TypeError(`${route.path}: ${status} is an answer and a problem`);
    shared.responses[responseName(codes)] ??= problemResponse(codes, shared.schemas, headers);
    nodes[status] = { $ref: `#/components/responses/${responseName(codes)}` };
  }
  return nodes;
}

function answerNode(
  { description, type = 'application/json', schema, example, headers: names = [] }: Answer,
  headers: (names: readonly AnyAnswerHeader[]) => Node,
  { schemas }: Shared,
): Node {
  return {
    description,
    headers: headers(['x-request-id', ...names]),
    ...(schema === undefined
      ? {}
      : {
          content: {
            [type]: { schema: schemas.toNode(schema), ...(example === undefined ? {} : { example }) },
          },
        }),
  };
}

function headerNodes(names: readonly AnyAnswerHeader[], shared: Shared): Node {
  return Object.fromEntries(
    names.map((key) => {
      const { name, node } = ANSWER_HEADERS[key];
      shared.headers[name] = node;
      return [name, { $ref: `#/components/headers/${name}` }];
    }),
  );
}

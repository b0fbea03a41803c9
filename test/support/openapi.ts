import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { ROUTES } from '../../api/all-routes.ts';
import { openApiDocument } from '../../api/openapi/document.ts';

export interface ParameterNode {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required?: boolean;
  readonly schema: SchemaNode;
  readonly example?: unknown;
}

/** JSON Schema, as far as the document uses it. */
export interface SchemaNode {
  readonly [keyword: string]: unknown;
}

interface MediaNode {
  readonly schema: SchemaNode;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}

interface ResponseNode {
  readonly headers: Readonly<Record<string, { readonly $ref: string }>>;
  readonly content?: Readonly<Record<string, MediaNode>>;
}

export interface OperationNode {
  readonly operationId: string;
  readonly parameters: readonly (ParameterNode | { readonly $ref: string })[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Readonly<Record<string, MediaNode>>;
  };
  readonly responses: Readonly<Record<string, ResponseNode | { readonly $ref: string }>>;
}

export interface OpenApi {
  readonly info: { readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationNode>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** The document, as it is served. */
export const document = JSON.parse(JSON.stringify(openApiDocument(ROUTES))) as OpenApi;

/** What a `$ref` within the document points to; anything else is itself. */
export function resolved<T extends object>(node: T | { readonly $ref: string }): T {
  if (!('$ref' in node)) return node as T;
  const steps = (node.$ref as string).slice(2).split('/');
  // biome-ignore lint/suspicious/noExplicitAny: a path through JSON
  return resolved(steps.reduce((at: any, step) => at[step], document) as T | { readonly $ref: string });
}

/** Every operation, with where it is. */
export const operations: readonly {
  readonly template: string;
  readonly method: string;
  readonly operation: OperationNode;
}[] = Object.entries(document.paths).flatMap(([template, item]) =>
  Object.entries(item).map(([method, operation]) => ({ template, method, operation })),
);

const ID = 'https://holdfast.test/openapi.json';
const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
ajv.addSchema({ ...closed(document), $id: ID });
const validators = new Map<string, ValidateFunction>();

/** Answers may get new members one day, and clients must bear that. Here a member that is not documented is a mistake. */
function closed(node: unknown): object {
  if (Array.isArray(node)) return node.map((item) => (isObject(item) ? closed(item) : item));
  const entries = Object.entries(node as object).map(([name, item]) => [
    name,
    isObject(item) ? closed(item) : item,
  ]);
  const copy = Object.fromEntries(entries) as Record<string, unknown>;
  const isSchema = isObject(copy.properties) && (copy.type === 'object' || copy.allOf !== undefined);
  return isSchema && copy.additionalProperties === undefined
    ? { ...copy, unevaluatedProperties: false }
    : copy;
}

function isObject(item: unknown): item is object {
  return typeof item === 'object' && item !== null;
}

/** Why `value` is not what the schema at these steps of the document says; empty if it is. */
export function schemaProblems(steps: readonly string[], value: unknown): string {
  const pointer = steps.map(
    (step) => `/${encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'))}`,
  );
  const ref = `${ID}#${pointer.join('')}`;
  let validate = validators.get(ref);
  if (validate === undefined) {
    validate = ajv.compile({ $ref: ref });
    validators.set(ref, validate);
  }
  return validate(value) ? '' : ajv.errorsText(validate.errors);
}

/** The path of the document that a request's path belongs to. */
function templateOf(path: string): string | undefined {
  return Object.keys(document.paths).find((template) =>
    new RegExp(`^${template.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path),
  );
}

export interface SeenAnswer {
  readonly status: number;
  header(name: string): string | undefined;
  readonly text: string;
}

/** Headers that say something about one answer: they must not come where nobody expects them. */
const TELLING = ['etag', 'cache-status', 'preference-applied', 'idempotent-replayed', 'retry-after', 'allow'];

/** What an answer of the API has that the document does not say, or the other way round. Empty where they agree. */
export function documentProblems(method: string, target: string, answer: SeenAnswer): string[] {
  const path = target.split('?')[0] as string;
  const template = templateOf(path);
  if (template === undefined)
    return /^\/(docs|console)\//.test(path) ? [] : expectProblem(answer, 'route-not-found');
  const item = document.paths[template] as Readonly<Record<string, OperationNode>>;
  const name = method.toLowerCase();
  const operation = item[name === 'head' ? 'get' : name];
  const methodOfAnswers = name === 'head' ? 'get' : name;
  // A preflight is between a browser and a server, and in no document.
  if (name === 'options' && answer.status === 204) return [];
  if (operation === undefined) {
    const allowed = ['get', 'put', 'patch', 'delete', 'post'].filter((known) => item[known] !== undefined);
    const allow = allowed.join(', ').toUpperCase().replace('GET', 'GET, HEAD');
    const problems = expectProblem(answer, 'method-not-allowed');
    return answer.header('allow') === allow ? problems : [...problems, `Allow: ${answer.header('allow')}`];
  }
  const node = operation.responses[answer.status];
  if (node === undefined) return [`${answer.status} is not documented: ${answer.text.slice(0, 500)}`];
  const steps =
    '$ref' in node
      ? (node.$ref as string).slice(2).split('/')
      : ['paths', template, methodOfAnswers, 'responses', String(answer.status)];
  return [
    ...headerProblems(resolved<ResponseNode>(node), answer),
    ...bodyProblems(resolved<ResponseNode>(node), steps, answer, name === 'head'),
  ];
}

function expectProblem(answer: SeenAnswer, code: string): string[] {
  // The adapter refuses what makes no URL before there is a path.
  const codes = [code, 'invalid-request'];
  const found = (JSON.parse(answer.text || `{"code":"${code}"}`) as { code?: string }).code ?? '';
  return codes.includes(found) ? [] : [`expected the problem ${code}, not ${answer.status} ${answer.text}`];
}

function headerProblems(node: ResponseNode, answer: SeenAnswer): string[] {
  const problems: string[] = [];
  const documented = Object.keys(node.headers).map((header) => header.toLowerCase());
  for (const header of TELLING) {
    if (answer.header(header) !== undefined && !documented.includes(header)) {
      problems.push(`the header ${header} is not documented`);
    }
  }
  for (const header of Object.keys(node.headers)) {
    const value = answer.header(header);
    const steps = ['components', 'headers', header, 'schema'];
    const { schema } = resolved<{ schema: SchemaNode }>({ $ref: `#/components/headers/${header}` });
    if (value === undefined) {
      if (['X-Request-Id', 'Retry-After', 'Allow'].includes(header)) problems.push(`${header} is missing`);
    } else {
      const wrong = schemaProblems(steps, schema.type === 'integer' ? Number(value) : value);
      if (wrong !== '') problems.push(`${header}: ${value}: ${wrong}`);
    }
  }
  return problems;
}

function bodyProblems(
  node: ResponseNode,
  steps: readonly string[],
  answer: SeenAnswer,
  isHead: boolean,
): string[] {
  const type = answer.header('content-type')?.split(';')[0];
  if (node.content === undefined)
    return answer.text === '' ? [] : ['there is a body, and none is documented'];
  if (type === undefined || node.content[type] === undefined) return [`${type} is not documented`];
  if (isHead) return answer.text === '' ? [] : ['an answer to HEAD has a body'];
  const value: unknown = type.endsWith('json') ? JSON.parse(answer.text) : answer.text;
  const wrong = schemaProblems([...steps, 'content', type, 'schema'], value);
  return wrong === '' ? [] : [`${wrong}: ${answer.text.slice(0, 500)}`];
}

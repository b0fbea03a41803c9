import fc from 'fast-check';
import { jsonLikeText, mutatedJson } from './json-arbitrary.ts';
import { type OperationNode, operations, type ParameterNode, resolved, schemaProblems } from './openapi.ts';
import { arbitraryOf } from './schema-arbitrary.ts';

export interface FuzzRequest {
  readonly operationId: string;
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
  /** All of it is as the document says. */
  readonly valid: boolean;
  /** Its body is JSON, and not what the document says. */
  readonly wrongBody: boolean;
}

/** A part of a request, and whether it is as the document says. */
interface Part<T> {
  readonly value: T;
  readonly valid: boolean;
}

/** Mostly valid parts: one broken part is enough for a request to be refused before the others are looked at. */
function mostly<T>(valid: fc.Arbitrary<T>, broken: fc.Arbitrary<T>): fc.Arbitrary<Part<T>> {
  return fc.oneof(
    { weight: 8, arbitrary: valid.map((value) => ({ value, valid: true })) },
    { weight: 1, arbitrary: broken.map((value) => ({ value, valid: false })) },
  );
}

const BROKEN_SEGMENTS = [
  '',
  '%',
  '%00',
  '%FF',
  '..',
  '%2e',
  'a/b',
  'a?x=1',
  'a#b',
  '%C0%AF',
  'x'.repeat(600),
];
const printable = fc.string({ unit: fc.constantFrom(...'"*\\,;=W/ aZ09~%-'), maxLength: 12 });

/** Of the entries that are there when requests begin. */
export const FIRST_VERSION = 1_790_000_000_000_000;

/** As it stands in a path. Few keys in known collections, so that requests meet. */
function segment(parameter: ParameterNode): fc.Arbitrary<Part<string>> {
  const known: Record<string, string[]> = {
    collection: ['carts', 'orders', 'page-views', 'balances'],
    key: ['a', 'b', 'a/b é'],
  };
  const values = arbitraryOf(parameter.schema);
  const usual = known[parameter.name];
  const valid =
    usual === undefined ? values : fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...usual) }, values);
  return mostly(
    // The document counts characters, a key has at most 512 bytes.
    valid
      .map(String)
      .filter((text) => Buffer.byteLength(text) <= 512)
      .map(encodeURIComponent),
    fc.constantFrom(...BROKEN_SEGMENTS),
  );
}

function path(template: string, parameters: readonly ParameterNode[]): fc.Arbitrary<Part<string>> {
  const segments = fc.record(
    Object.fromEntries(parameters.filter((p) => p.in === 'path').map((p) => [p.name, segment(p)])),
  );
  return segments.map((parts) => ({
    value: template.replaceAll(/\{(\w+)\}/g, (_, name: string) => parts[name]?.value as string),
    valid: Object.values(parts).every(({ valid }) => valid),
  }));
}

function query(parameters: readonly ParameterNode[]): fc.Arbitrary<Part<string>> {
  const known = parameters.filter((p) => p.in === 'query');
  const valid = fc.record(Object.fromEntries(known.map((p) => [p.name, arbitraryOf(p.schema).map(String)])), {
    requiredKeys: known.filter((p) => p.required).map((p) => p.name),
  });
  const broken = fc.record(
    Object.fromEntries([...known.map((p) => p.name), 'other'].map((name) => [name, printable])),
    { requiredKeys: [] },
  );
  return mostly(valid, broken).map(({ value, valid }) => {
    const text = new URLSearchParams(value as Record<string, string>).toString();
    // What is refused in the query of one route means nothing to another: this is for the routes that have one.
    return text === '' ? { value: '', valid } : { value: `?${text}`, valid };
  });
}

function headers(parameters: readonly ParameterNode[]): fc.Arbitrary<Part<Record<string, string>>> {
  const versions = fc.constantFrom(FIRST_VERSION, FIRST_VERSION + 2).map((version) => `"${version}"`);
  const parts = parameters
    .filter((p) => p.in === 'header')
    .map((p) => {
      const usual = p.name.startsWith('If-') && p.schema.const === undefined ? versions : undefined;
      const anyText = p.schema.pattern === undefined && p.schema.const === undefined;
      const valid = usual ?? (anyText ? printable : arbitraryOf(p.schema).map(String));
      const levels = fc.constantFrom('durability=cached', 'durability=queued', 'durability=persisted');
      return [p.name.toLowerCase(), mostly(p.name === 'Prefer' ? levels : valid, printable)] as const;
    });
  return fc.record(Object.fromEntries(parts), { requiredKeys: [] }).map((drawn) => ({
    value: Object.fromEntries(Object.entries(drawn).map(([name, part]) => [name, part?.value as string])),
    valid:
      Object.values(drawn).every((part) => part?.valid) && !('if-match' in drawn && 'if-none-match' in drawn),
  }));
}

interface Body {
  readonly bytes: Buffer | undefined;
  readonly type: string | undefined;
}

function body(
  template: string,
  method: string,
  { requestBody }: OperationNode,
): fc.Arbitrary<Part<Body> & { readonly wrong: boolean }> {
  const [type, media] = Object.entries(requestBody?.content ?? {})[0] ?? [];
  if (requestBody === undefined || type === undefined || media === undefined) {
    return fc.constant({ value: { bytes: undefined, type: undefined }, valid: true, wrong: false });
  }
  const steps = ['paths', template, method, 'requestBody', 'content', type, 'schema'];
  const drawn = arbitraryOf(media.schema).map((value) => JSON.stringify(value));
  const bytes = fc.oneof(
    { weight: 7, arbitrary: drawn.map((text) => ({ sent: Buffer.from(text), valid: true })) },
    // Even where a schema allows it: it knows nothing of spellings, and of members that occur twice.
    {
      weight: 5,
      arbitrary: fc
        .oneof(fc.json({ maxDepth: 2 }), mutatedJson, jsonLikeText)
        .map((text) => ({ sent: Buffer.from(text), valid: false })),
    },
    { weight: 1, arbitrary: fc.constant({ sent: undefined, valid: !requestBody.required }) },
    // Past the limits of an increment, and of a value in tests.
    { weight: 1, arbitrary: fc.constant({ sent: Buffer.alloc(2_000, ' '), valid: false }) },
    {
      weight: 1,
      arbitrary: fc.uint8Array({ maxLength: 6 }).map((array) => ({ sent: Buffer.from(array), valid: false })),
    },
  );
  const types = mostly<string | undefined>(
    // Only a body that is plain JSON may go without its type.
    type === 'application/json' ? fc.constantFrom(type, undefined) : fc.constant(type),
    fc.constantFrom('text/plain', `${type}; charset=latin1`, ''),
  );
  return fc.tuple(bytes, types).map(([{ sent, valid }, declared]) => ({
    value: { bytes: sent, type: declared.value },
    valid: valid && declared.valid,
    wrong: sent !== undefined && sent.length > 0 && bodyProblem(steps, sent) !== '',
  }));
}

function bodyProblem(steps: readonly string[], bytes: Buffer | undefined): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return schemaProblems(steps, JSON.parse(text));
  } catch (error) {
    return String(error);
  }
}

function requestOf(template: string, method: string, operation: OperationNode): fc.Arbitrary<FuzzRequest> {
  const parameters = operation.parameters.map((parameter) => resolved<ParameterNode>(parameter));
  const parts = fc.record({
    method: mostly(
      fc.constant(method.toUpperCase()),
      fc.constantFrom('GET', 'PUT', 'DELETE', 'POST', 'PATCH'),
    ),
    path: path(template, parameters),
    query: query(parameters),
    headers: headers(parameters),
    body: body(template, method, operation),
  });
  return parts.map((drawn) => {
    const { bytes, type } = drawn.body.value;
    return {
      operationId: operation.operationId,
      method: drawn.method.value,
      target: drawn.path.value + drawn.query.value,
      headers: { ...drawn.headers.value, ...(type === undefined ? {} : { 'content-type': type }) },
      body: bytes,
      valid: Object.values(drawn).every((part) => part.valid),
      wrongBody: drawn.method.valid && drawn.body.wrong,
    };
  });
}

/**
 * Requests for every operation of the document: most as it says, others broken in one way or several. Those of entries come
 * four times as often: most depends on them, and they meet more states.
 */
export const fuzzRequest: fc.Arbitrary<FuzzRequest> = fc.oneof(
  ...operations.map(({ template, method, operation }) => ({
    weight: template.includes('{key}') ? 4 : 1,
    arbitrary: requestOf(template, method, operation),
  })),
);

import type { AnswerHeader, RequestHeader } from '../route.ts';
import type { Node } from './components.ts';

const ETAG = '"1790000000000000"';
const ETAG_PATTERN = '^"[^"]+"$';

/** Headers of a request, by the name that routes give them. */
export const REQUEST_HEADERS: Readonly<Record<RequestHeader, Node>> = {
  prefer: {
    name: 'Prefer',
    in: 'header',
    description:
      '`durability=cached`, `queued` or `persisted`: the level to wait for (RFC 7240). Other preferences and levels are ignored.',
    schema: { type: 'string' },
    example: 'durability=queued',
  },
  'if-match': {
    name: 'If-Match',
    in: 'header',
    description:
      'Write only if this is still the version of the entry; else `412`. A weak ETag (`W/"…"`) is `400`. Not beside `If-None-Match`.',
    schema: { type: 'string', pattern: '^"[1-9][0-9]{0,15}"$' },
  },
  'if-none-match': {
    name: 'If-None-Match',
    in: 'header',
    description: '`*`: write only if there is no such entry; else `412`. Not beside `If-Match`.',
    schema: { type: 'string', const: '*' },
  },
  'if-none-match-read': {
    name: 'If-None-Match',
    in: 'header',
    description: 'The ETags of the copies at hand: `304` if one of them is the newest.',
    schema: { type: 'string' },
  },
  'idempotency-key': {
    name: 'Idempotency-Key',
    in: 'header',
    description:
      'The write happens once, however often it is repeated with this key: a write that got no answer can be repeated. A UUID, for instance, with or without quotes.',
    schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,255}$' },
    example: '7d9a2c1e-2b7c-4d55-9a3c-0c8f5f1f2a10',
  },
};

/** Of every request, whatever it is for. */
export const EVERY_REQUEST_HEADERS: Readonly<Record<string, Node>> = {
  'x-request-id': {
    name: 'X-Request-Id',
    in: 'header',
    description: 'Names the request in its answer and in the log. One that is not well formed is replaced.',
    schema: { type: 'string' },
  },
};

export type AnyAnswerHeader = AnswerHeader | 'x-request-id' | 'retry-after' | 'allow' | 'www-authenticate';

/** Headers of an answer, under the names of the document's components. */
export const ANSWER_HEADERS: Readonly<
  Record<AnyAnswerHeader, { readonly name: string; readonly node: Node }>
> = {
  etag: {
    name: 'ETag',
    node: {
      description: 'The version in quotes: what `If-Match` and `If-None-Match` take.',
      schema: { type: 'string', pattern: ETAG_PATTERN },
      example: ETAG,
    },
  },
  'cache-status': {
    name: 'Cache-Status',
    node: {
      description:
        'Where the value came from (RFC 9211). `detail=merged-pending`: a write on its way to PostgreSQL was taken into account. `detail=degraded`: Redis is out of reach, and writes that are only `cached` may be missing.',
      schema: { type: 'string', pattern: '^Holdfast; ' },
      example: 'Holdfast; hit',
    },
  },
  'preference-applied': {
    name: 'Preference-Applied',
    node: {
      description: 'The level asked for by `Prefer` was reached.',
      schema: { type: 'string', pattern: '^durability=(cached|queued|persisted)$' },
    },
  },
  'idempotent-replayed': {
    name: 'Idempotent-Replayed',
    node: {
      description: 'This is the answer to an earlier request with the same `Idempotency-Key`.',
      schema: { type: 'string', const: 'true' },
    },
  },
  'x-request-id': {
    name: 'X-Request-Id',
    node: {
      description: 'The id of the request: its own, or one that was made.',
      schema: { type: 'string', pattern: '^[\\w.~:+/=@-]{1,128}$' },
    },
  },
  'retry-after': {
    name: 'Retry-After',
    node: {
      description: 'When trying again makes sense, in seconds.',
      schema: { type: 'integer', minimum: 1 },
    },
  },
  'www-authenticate': {
    name: 'WWW-Authenticate',
    node: { description: 'How to send a key (RFC 6750).', schema: { type: 'string', pattern: '^Bearer ' } },
  },
  allow: {
    name: 'Allow',
    node: { description: 'The methods this path knows.', schema: { type: 'string' }, example: 'GET, HEAD' },
  },
};

import type { ReadResult } from '../../service/holdfast.ts';
import { collectionNamed } from '../collection.ts';
import { requestId } from '../middleware/request-id.ts';
import { entryOf } from '../path.ts';
import { notModified } from '../preconditions.ts';
import { problemResponse } from '../problem.ts';
import { ENTRY_PATH, type Route } from '../route.ts';
import { jsonValue } from '../schemas/json-value.ts';
import { SECURITY_HEADERS } from '../security-headers.ts';

/** `GET /v1/collections/{collection}/entries/{key}`: the value itself, byte for byte as it is kept. */
export const readEntry: Route = {
  method: 'get',
  path: ENTRY_PATH,
  effect: 'read',
  access: 'read',
  operation: {
    id: 'getEntry',
    tag: 'Entries',
    summary: 'Read the value of an entry',
    description:
      'The body is the value itself. A read sees every write that was acknowledged before it began.',
    headers: ['if-none-match-read'],
    answers: {
      200: {
        description: 'The value.',
        schema: jsonValue,
        example: { items: ['tea', 'honey'], note: null },
        headers: ['etag', 'cache-status'],
      },
      304: { description: 'Nothing has changed.', headers: ['etag', 'cache-status'] },
    },
    problems: ['collection-not-found', 'entry-not-found', 'dependency-unavailable'],
  },
  handler:
    ({ holdfast }) =>
    async (c, deadlineAt) => {
      const entry = entryOf(c);
      const collection = collectionNamed(holdfast.collections, entry.collection);
      const result = await holdfast.read(collection, entry.key, { deadlineAt });
      const { version, value } = result.state;
      if (value === null) {
        return problemResponse(c, {
          code: 'entry-not-found',
          detail: 'There is no entry with this key in the collection.',
          headers: { 'cache-status': cacheStatus(result) },
        });
      }
      const same = notModified(c.env.incoming.headers['if-none-match'], version);
      return new Response(same ? null : value, {
        status: same ? 304 : 200,
        headers: {
          'content-type': 'application/json',
          etag: `"${version}"`,
          // Others may keep a copy as long as they ask each time whether it is still the newest. Who compresses it makes its
          // ETag a weak one, which no write may be bound to.
          'cache-control': 'no-cache, no-transform',
          'cache-status': cacheStatus(result),
          'x-request-id': requestId(c.env),
          ...SECURITY_HEADERS,
        },
      });
    },
};

/** RFC 9211. */
function cacheStatus({ source, stored, degraded }: ReadResult): string {
  if (source === 'cache') return 'Holdfast; hit';
  if (degraded) return 'Holdfast; fwd=bypass; detail=degraded';
  const miss = stored ? 'Holdfast; fwd=uri-miss; stored' : 'Holdfast; fwd=uri-miss';
  return source === 'pending' ? `${miss}; detail=merged-pending` : miss;
}

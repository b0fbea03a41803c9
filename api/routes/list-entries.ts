import type { EntryListing } from '../../service/holdfast.ts';
import { collectionNamed } from '../collection.ts';
import { jsonResponse } from '../json-response.ts';
import { readQuery } from '../query.ts';
import type { Route } from '../route.ts';
import { listing, listingQuery } from '../schemas/listing.ts';

/** `GET /v1/collections/{collection}/entries?after=&limit=&prefix=`: what PostgreSQL has, in pages. */
export const listEntries: Route = {
  method: 'get',
  path: '/v1/collections/:collection/entries',
  effect: 'read',
  access: 'read',
  operation: {
    id: 'listEntries',
    tag: 'Entries',
    summary: 'List the persisted entries of a collection',
    description:
      'In the bytewise order of their keys, in pages. It shows what is in PostgreSQL: of a collection that is written behind, the newest writes may be missing. A page may hold fewer entries than `limit` where values are large; only `next` tells whether there are more.',
    query: listingQuery,
    answers: {
      200: {
        description: 'A page of them.',
        schema: listing,
        example: {
          entries: [
            {
              key: 'ada',
              value: { items: ['tea'] },
              version: 1_790_000_000_000_000,
              updatedAt: '2026-09-21T14:13:20.000Z',
            },
          ],
          next: null,
        },
      },
    },
    problems: ['collection-not-found', 'dependency-unavailable', 'deadline-exceeded'],
  },
  handler:
    ({ holdfast }) =>
    async (c, deadlineAt) => {
      const collection = collectionNamed(holdfast.collections, c.req.param('collection') ?? '');
      const { after = '', prefix = '', limit } = readQuery(c, listingQuery);
      return jsonResponse(
        c,
        listingJson(await holdfast.list(collection, { after, prefix, limit }, { deadlineAt })),
      );
    },
};

/** Values are JSON text already, and stay as they are kept. */
function listingJson({ entries, next }: EntryListing): string {
  const listed = entries.map(
    ({ key, value, version, updatedAt }) =>
      `{"key":${JSON.stringify(key)},"value":${value},"version":${version},"updatedAt":"${updatedAt.toISOString()}"}`,
  );
  return `{"entries":[${listed.join(',')}],"next":${JSON.stringify(next)}}`;
}

import type { ManyResult } from '../../service/holdfast.ts';
import { collectionNamed } from '../collection.ts';
import { jsonResponse } from '../json-response.ts';
import { readKeys } from '../key-list.ts';
import type { Route } from '../route.ts';
import { keyList, manyEntries } from '../schemas/read-many.ts';

/** `POST /v1/collections/{collection}/read`: many entries at once. */
export const readMany: Route = {
  method: 'post',
  path: '/v1/collections/:collection/read',
  effect: 'read',
  access: 'read',
  operation: {
    id: 'readMany',
    tag: 'Entries',
    summary: 'Read many entries',
    description:
      'Each entry as a read of its own would give it; a key that is asked for twice is answered once. The entries are not of one moment.',
    body: {
      type: 'application/json',
      required: true,
      schema: keyList,
      examples: { 'two keys': { keys: ['ada', 'grace'] } },
    },
    answers: {
      200: {
        description: 'The entries, and the keys of which there is none.',
        schema: manyEntries,
        headers: ['cache-status'],
        example: {
          entries: [{ key: 'ada', value: { items: ['tea'] }, version: 1_790_000_000_000_000 }],
          missing: ['grace'],
        },
      },
    },
    problems: ['collection-not-found', 'value-too-large', 'dependency-unavailable', 'deadline-exceeded'],
  },
  handler:
    ({ holdfast, limits }) =>
    async (c, deadlineAt) => {
      const collection = collectionNamed(holdfast.collections, c.req.param('collection') ?? '');
      const keys = await readKeys(c, { maxKeys: limits.MAX_READ_KEYS, deadlineAt });
      const result = await holdfast.readMany(collection, keys, { deadlineAt });
      const response = jsonResponse(c, manyJson(result));
      if (result.degraded) {
        response.headers.set('cache-status', 'Holdfast; fwd=bypass; detail=degraded');
      }
      return response;
    },
};

/** Values are JSON text already, and stay as they are kept. */
function manyJson({ entries }: ManyResult): string {
  const found: string[] = [];
  const missing: string[] = [];
  for (const { key, value, version } of entries) {
    if (value === null) missing.push(JSON.stringify(key));
    else found.push(`{"key":${JSON.stringify(key)},"value":${value},"version":${version}}`);
  }
  return `{"entries":[${found.join(',')}],"missing":[${missing.join(',')}]}`;
}

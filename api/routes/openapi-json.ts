import { createHash } from 'node:crypto';
import { z } from 'zod';
import { requestId } from '../middleware/request-id.ts';
import { openApiDocument } from '../openapi/document.ts';
import { notModified } from '../preconditions.ts';
import type { Route } from '../route.ts';
import { SECURITY_HEADERS } from '../security-headers.ts';

/**
 * `GET /openapi.json`: the OpenAPI 3.1 document of all routes, this one among them. Made once, at the start: `routes` is
 * asked when the list is complete.
 */
export function openApiJson(routes: () => readonly Route[]): Route {
  return {
    method: 'get',
    path: '/openapi.json',
    effect: 'read',
    access: 'public',
    operation: {
      id: 'getOpenApiDocument',
      tag: 'Documentation',
      summary: 'This document',
      headers: ['if-none-match-read'],
      answers: {
        200: {
          description: 'OpenAPI 3.1.',
          schema: z.looseObject({ openapi: z.string() }),
          headers: ['etag'],
        },
        304: { description: 'Nothing has changed.', headers: ['etag'] },
      },
      problems: [],
    },
    handler: () => {
      const json = JSON.stringify(openApiDocument(routes()));
      const digest = createHash('sha256').update(json).digest('base64url').slice(0, 16);
      return async (c) => {
        const same = notModified(c.env.incoming.headers['if-none-match'], digest);
        return new Response(same ? null : json, {
          status: same ? 304 : 200,
          headers: {
            'content-type': 'application/json',
            etag: `"${digest}"`,
            'cache-control': 'no-cache',
            'x-request-id': requestId(c.env),
            ...SECURITY_HEADERS,
          },
        });
      };
    },
  };
}

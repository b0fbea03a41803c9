import { z } from 'zod';
import { type Assets, docsAssets } from '../docs/assets.ts';
import { requestId } from '../middleware/request-id.ts';
import type { Route } from '../route.ts';
import { SECURITY_HEADERS } from '../security-headers.ts';

/** Nothing from anywhere else, no script and no style in the page. `data:` is for the icons in the style sheet. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** `GET /docs`: the OpenAPI document as a page that can send requests. Works without any other server. */
export const docsPage: Route = {
  method: 'get',
  path: '/docs',
  effect: 'read',
  access: 'public',
  operation: {
    id: 'getDocsPage',
    tag: 'Documentation',
    summary: 'This document, as a page that can send requests',
    answers: { 200: { description: 'The page.', type: 'text/html', schema: z.string() } },
    problems: [],
  },
  handler: () => async (c) =>
    new Response(page(await docsAssets()), {
      headers: {
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-cache',
        'referrer-policy': 'no-referrer',
        'x-request-id': requestId(c.env),
        ...SECURITY_HEADERS,
        'content-security-policy': POLICY,
      },
    }),
};

function page({ script, style, start }: Assets): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Holdfast: HTTP API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/${style.file}">
<script src="/docs/${script.file}" defer></script>
<script src="/docs/${start.file}" defer></script>
</head>
<body>
<div id="docs"></div>
<noscript>This page needs JavaScript; <a href="/openapi.json">the document itself</a> does not.</noscript>
</body>
</html>
`;
}

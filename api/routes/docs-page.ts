import { z } from 'zod';
import { type Assets, docsAssets } from '../docs/assets.ts';
import { pageResponse } from '../page.ts';
import type { Route } from '../route.ts';

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
  handler: () => async (c) => pageResponse(c, page(await docsAssets())),
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

import { z } from 'zod';
import { consoleAssets } from '../console/assets.ts';
import { requestId } from '../middleware/request-id.ts';
import { pageResponse } from '../page.ts';
import type { Route } from '../route.ts';
import { SECURITY_HEADERS } from '../security-headers.ts';

/** `GET /console`: the page for operators. It holds no figure: what it shows it asks for, with a key where there are keys. */
export const consolePage: Route = {
  method: 'get',
  path: '/console',
  effect: 'read',
  access: 'public',
  operation: {
    id: 'getConsole',
    tag: 'Operations',
    summary: 'The console, a page for operators',
    answers: { 200: { description: 'The page.', type: 'text/html', schema: z.string() } },
    problems: [],
  },
  handler: () => async (c) => {
    const { script, style } = await consoleAssets();
    return pageResponse(c, page(script.file, style.file));
  },
};

/** `GET /console/`: who types a slash at the end gets to the page, too. */
export const consoleSlash: Route = {
  method: 'get',
  path: '/console/',
  effect: 'read',
  access: 'public',
  operation: null,
  handler: () => async (c) =>
    new Response('/console', {
      status: 308,
      headers: {
        'content-type': 'text/plain; charset=utf-8',
        location: '/console',
        'x-request-id': requestId(c.env),
        ...SECURITY_HEADERS,
      },
    }),
};

/** The verdict is there before any script is: whoever reads the page is told what it waits for. */
function page(script: string, style: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Holdfast</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/console/${style}">
<script src="/console/${script}" type="module"></script>
</head>
<body>
<div id="console"><p class="early">Loading the console.</p></div>
<noscript>This page needs JavaScript. <code>GET /ops/v1/summary</code> says the same as JSON.</noscript>
</body>
</html>
`;
}

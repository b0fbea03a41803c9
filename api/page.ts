import type { ApiContext } from './api-env.ts';
import { requestId } from './middleware/request-id.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

/** Nothing from anywhere else, no script and no style in the page. `data:` is for icons. */
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

/** A page for people. Asked for again each time: it names files by their digests. */
export function pageResponse(c: ApiContext, html: string): Response {
  return new Response(html, {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-cache',
      'referrer-policy': 'no-referrer',
      'x-request-id': requestId(c.env),
      ...SECURITY_HEADERS,
      'content-security-policy': POLICY,
    },
  });
}

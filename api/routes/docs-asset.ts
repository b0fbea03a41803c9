import { type Asset, docsAssets } from '../docs/assets.ts';
import { requestId } from '../middleware/request-id.ts';
import { HttpError } from '../problem.ts';
import type { Route } from '../route.ts';
import { SECURITY_HEADERS } from '../security-headers.ts';

/** `GET /docs/{file}`: what the page of `/docs` asks for. */
export const docsAsset: Route = {
  method: 'get',
  path: '/docs/:file',
  effect: 'read',
  access: 'public',
  operation: null,
  handler: () => async (c) => {
    const file = c.req.param('file');
    const asset = Object.values<Asset>({ ...(await docsAssets()) }).find((one) => one.file === file);
    if (asset === undefined) {
      throw new HttpError('route-not-found', 'The page of /docs has no such file; reload it.');
    }
    const zipped = /\bgzip\b(?!;q=0(?:\.0*)?(?:,|$))/.test(
      c.env.incoming.headers['accept-encoding']?.toString() ?? '',
    );
    return new Response(new Uint8Array(zipped ? asset.gzipped : asset.content), {
      headers: {
        'content-type': asset.type,
        ...(zipped ? { 'content-encoding': 'gzip' } : {}),
        vary: 'accept-encoding',
        'cache-control': 'public, max-age=31536000, immutable',
        'x-request-id': requestId(c.env),
        ...SECURITY_HEADERS,
      },
    });
  },
};

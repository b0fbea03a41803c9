import { type Asset, assetResponse } from '../asset.ts';
import { docsAssets } from '../docs/assets.ts';
import { HttpError } from '../problem.ts';
import type { Route } from '../route.ts';

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
    return assetResponse(c, asset);
  },
};

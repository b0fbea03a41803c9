import { type Asset, assetResponse } from '../asset.ts';
import { consoleAssets } from '../console/assets.ts';
import { HttpError } from '../problem.ts';
import type { Route } from '../route.ts';

/** `GET /console/{file}`: what the page of `/console` asks for. */
export const consoleAsset: Route = {
  method: 'get',
  path: '/console/:file',
  effect: 'read',
  access: 'public',
  operation: null,
  handler: () => async (c) => {
    const file = c.req.param('file');
    const asset = Object.values<Asset>({ ...(await consoleAssets()) }).find((one) => one.file === file);
    if (asset === undefined) {
      throw new HttpError('route-not-found', 'The page of /console has no such file; reload it.');
    }
    return assetResponse(c, asset);
  },
};

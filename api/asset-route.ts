import { type Asset, assetResponse } from './asset.ts';
import { HttpError } from './problem.ts';
import type { Route } from './route.ts';

/** `GET {page}/{file}`: what a page asks for. No path of a request ever leads to a file. */
export function assetRoute<Assets extends Readonly<Record<keyof Assets, Asset>>>(
  page: '/console' | '/docs',
  load: () => Promise<Assets>,
): Route {
  return {
    method: 'get',
    path: `${page}/:file`,
    effect: 'read',
    access: 'public',
    operation: null,
    handler: () => async (c) => {
      const file = c.req.param('file');
      const asset = Object.values<Asset>(await load()).find((one) => one.file === file);
      if (asset === undefined) {
        throw new HttpError('route-not-found', `The page of ${page} has no such file; reload it.`);
      }
      return assetResponse(c, asset);
    },
  };
}

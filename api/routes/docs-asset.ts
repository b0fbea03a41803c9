import { assetRoute } from '../asset-route.ts';
import { docsAssets } from '../docs/assets.ts';

/** `GET /docs/{file}`: what the page of `/docs` asks for. */
export const docsAsset = assetRoute('/docs', docsAssets);

import { assetRoute } from '../asset-route.ts';
import { consoleAssets } from '../console/assets.ts';

/** `GET /console/{file}`: what the page of `/console` asks for. */
export const consoleAsset = assetRoute('/console', consoleAssets);

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { type Asset, createAsset, loadedOnce } from '../asset.ts';

export interface Assets {
  readonly script: Asset;
  readonly style: Asset;
  readonly start: Asset;
}

/**
 * What the page runs first. Not in the page itself: its Content-Security-Policy allows no script there. Swagger UI asks a
 * validator on the web unless told not to.
 */
const START = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  tryItOutEnabled: true,
  validatorUrl: null,
});
`;

const require = createRequire(import.meta.url);
/** The files of the page, out of the pinned package: no path of a request ever leads to a file. */
export const docsAssets = loadedOnce(async (): Promise<Assets> => {
  const [script, style, start] = await Promise.all([
    createAsset('swagger-ui', 'js', await readFile(require.resolve('swagger-ui-dist/swagger-ui-bundle.js'))),
    createAsset('swagger-ui', 'css', await readFile(require.resolve('swagger-ui-dist/swagger-ui.css'))),
    createAsset('start', 'js', Buffer.from(START)),
  ]);
  return { script, style, start };
});

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

export interface Asset {
  /** Holds a digest of the content, so that a copy of it never goes out of date. */
  readonly file: string;
  readonly type: 'text/javascript; charset=utf-8' | 'text/css; charset=utf-8';
  readonly content: Buffer;
  readonly gzipped: Buffer;
}

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
const gzipped = promisify(gzip);

let assets: Promise<Assets> | undefined;

/**
 * The files of the page, out of the pinned package: no path of a request ever leads to a file. Read and compressed when the
 * page is first asked for, since few processes ever are; off the event loop, for it takes some 100 ms.
 */
export function docsAssets(): Promise<Assets> {
  assets ??= loadAssets().catch((error: unknown) => {
    assets = undefined;
    throw error;
  });
  return assets;
}

async function loadAssets(): Promise<Assets> {
  const [script, style, start] = await Promise.all([
    asset('swagger-ui', 'js', await readFile(require.resolve('swagger-ui-dist/swagger-ui-bundle.js'))),
    asset('swagger-ui', 'css', await readFile(require.resolve('swagger-ui-dist/swagger-ui.css'))),
    asset('start', 'js', Buffer.from(START)),
  ]);
  return { script, style, start };
}

async function asset(name: string, extension: 'js' | 'css', content: Buffer): Promise<Asset> {
  const digest = createHash('sha256').update(content).digest('hex').slice(0, 16);
  return {
    file: `${name}.${digest}.${extension}`,
    type: `text/${extension === 'js' ? 'javascript' : 'css'}; charset=utf-8`,
    content,
    gzipped: await gzipped(content),
  };
}

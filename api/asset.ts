import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { ApiContext } from './api-env.ts';
import { requestId } from './middleware/request-id.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

/** A file that a page asks for. */
export interface Asset {
  /** Holds a digest of the content, so that a copy of it never goes out of date. */
  readonly file: string;
  readonly type: 'text/javascript; charset=utf-8' | 'text/css; charset=utf-8';
  readonly content: Bytes;
  readonly gzipped: Bytes;
}

/** Shared by all answers, and never changed: many of them may wait for clients that do not read, at no cost of memory. */
type Bytes = Uint8Array<ArrayBuffer>;

const gzipped = promisify(gzip);

/** Compressed off the event loop: a large one takes some 100 ms. */
export async function createAsset(name: string, extension: 'js' | 'css', content: Buffer): Promise<Asset> {
  const digest = createHash('sha256').update(content).digest('hex').slice(0, 16);
  return {
    file: `${name}.${digest}.${extension}`,
    type: `text/${extension === 'js' ? 'javascript' : 'css'}; charset=utf-8`,
    content: sameBytes(content),
    gzipped: sameBytes(await gzipped(content)),
  };
}

/** Without a copy. The compiler cannot know that no file is read into memory that threads share. */
function sameBytes({ buffer, byteOffset, byteLength }: Buffer): Bytes {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}

/** Gives what `load` gives, and calls it when first asked, since few processes ever are; again where it failed. */
export function loadedOnce<T>(load: () => Promise<T>): () => Promise<T> {
  let loaded: Promise<T> | undefined;
  return () => {
    loaded ??= load().catch((error: unknown) => {
      loaded = undefined;
      throw error;
    });
    return loaded;
  };
}

/** An asset as the answer to a request, compressed for who takes that. */
export function assetResponse(c: ApiContext, asset: Asset): Response {
  const accepted = c.env.incoming.headers['accept-encoding']?.toString() ?? '';
  const zipped = /\bgzip\b(?!;q=0(?:\.0*)?(?:,|$))/.test(accepted);
  return new Response(zipped ? asset.gzipped : asset.content, {
    headers: {
      'content-type': asset.type,
      ...(zipped ? { 'content-encoding': 'gzip' } : {}),
      vary: 'accept-encoding',
      'cache-control': 'public, max-age=31536000, immutable',
      'x-request-id': requestId(c.env),
      ...SECURITY_HEADERS,
    },
  });
}

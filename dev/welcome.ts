import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './clone.ts';
import type { Addresses } from './stack.ts';

export interface Welcome {
  readonly url: string;
  readonly addresses: Addresses;
  /** Whether requests need an API key. */
  readonly needsKey: boolean;
}

/** What `npm run dev` shows when all is ready: where things are, and something to try. */
export async function welcome({ url, addresses, needsKey }: Welcome): Promise<string> {
  const entries = `${url}/v1/collections`;
  const key = needsKey ? ' -H "authorization: Bearer $HOLDFAST_KEY"' : '';
  const json = `-H 'content-type: application/json'${key}`;
  return [
    '',
    'Holdfast is ready (Ctrl-C stops everything; the data stay in .holdfast/).',
    '',
    `  API              ${url}`,
    `  API docs         ${await docs(url)}`,
    `  Console          ${url}/console`,
    `  Temporal Web UI  ${addresses.TEMPORAL_UI_URL}`,
    '  Addresses        .holdfast/env',
    '',
    'Try it: a cart is queued, then persisted behind the scenes; an order is in PostgreSQL when the answer comes.',
    '',
    `  curl -i -X PUT ${entries}/carts/entries/alice ${json} -d '{"items":["tea"]}'`,
    `  curl -i ${entries}/carts/entries/alice${key}`,
    `  curl -i -X PUT ${entries}/orders/entries/1001 ${json} -d '{"total":42}'`,
    '',
  ].join('\n');
}

/** The docs as far as they exist: served by the API, else the files of the clone. */
async function docs(url: string): Promise<string> {
  for (const path of ['/docs', '/openapi.json']) {
    const response = await fetch(`${url}${path}`).catch(() => undefined);
    await response?.body?.cancel();
    if (response?.ok) return `${url}${path}`;
  }
  const files = ['docs/http.md', 'README.md'].filter((file) => existsSync(join(ROOT, file)));
  return files.join(', ') || 'not written yet';
}

import { createRandom } from '../dev/random.ts';

/** What a document has beside its note, and what is left without items. */
const BARE_BYTES = 97;
const BAREST_BYTES = 29;
const MOST_BYTES = 64 * 1024;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Text that neither PostgreSQL nor Temporal's payloads get much smaller: 6 bits a letter. */
let noise = '';
function noiseFrom(start: number, length: number): string {
  if (noise === '') {
    const random = createRandom('noise');
    for (let i = 0; i < 4 * MOST_BYTES; i += 1) noise += ALPHABET[random.int(0, 63)];
  }
  return noise.slice(start, start + length);
}

/** The n-th JSON document of so many bytes: no less than 29, no more than 64 KB. Below 97 it has no items. */
export function documentBody(n: number, bytes: number): string {
  const id = String(n).padStart(10, '0');
  if (bytes < BARE_BYTES) return `{"id":"${id}","note":"${noiseFrom(n % MOST_BYTES, bytes - BAREST_BYTES)}"}`;
  // A place of its own for each, so that documents in one batch have little in common.
  const note = noiseFrom((n * 7_919) % (3 * MOST_BYTES), bytes - BARE_BYTES);
  return `{"id":"${id}","items":[{"sku":"A-1001","quantity":2},{"sku":"B-20","quantity":1}],"note":"${note}"}`;
}

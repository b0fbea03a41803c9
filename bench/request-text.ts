import { createRandom } from '../dev/random.ts';
import { documentBody } from './document-body.ts';
import type { RequestShape } from './load-messages.ts';
import { createZipf } from './zipf.ts';

/** One request as it is sent. */
export interface RequestText {
  readonly text: string;
  /** How many documents or counters it writes. */
  readonly writes: number;
}

/** A prime: its multiples meet every number below any other that it does not divide, once each. */
const SPREAD_STEP = 611_953;

/** Answers a function that gives the number in the n-th request's key. */
function keyNumbers({ pick, of }: RequestShape): (n: number) => number | '' {
  if (pick === 'nothing') return () => '';
  if (pick === 'each') return (n) => n;
  if (pick === 'cycle') return (n) => n % of;
  if (pick === 'spread') {
    // Elsewhere in each run: what the last one read may still lie in a cache below.
    const start = Math.floor(Math.random() * of);
    return (n) => ((start + n) * SPREAD_STEP) % of;
  }
  return createZipf(of, createRandom('zipf').next);
}

/** Answers a function that gives the text of the n-th request. What does not change is put together only once. */
export function requestText(shape: RequestShape): (n: number) => RequestText {
  const { method, path, key, bytes, reads, batch, headers } = shape;
  const lines = Object.entries({ host: '127.0.0.1', ...headers })
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const after = `${path[1]} HTTP/1.1\r\n${lines}`;
  const withBody = (body: string) =>
    `${after}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  if (batch > 0) {
    return (n) => ({ text: `${method} ${path[0]}${withBody(batchBody(shape, n))}`, writes: batch });
  }
  const numberOf = keyNumbers(shape);
  const random = createRandom('reads');
  const empty = `${after}content-length: 0\r\n\r\n`;
  return (n) => {
    const target = `${path[0]}${key}${numberOf(n)}`;
    if (method === 'GET' || (reads > 0 && random.chance(reads)))
      return { text: `GET ${target}${after}\r\n`, writes: 0 };
    return { text: `${method} ${target}${bytes > 0 ? withBody(documentBody(n, bytes)) : empty}`, writes: 1 };
  };
}

function batchBody({ key, batch, bytes }: RequestShape, n: number): string {
  const operations = Array.from({ length: batch }, (_, i) => {
    const number = n * batch + i;
    return `{"op":"put","collection":"carts","key":"${key}${number}","value":${documentBody(number, bytes)}}`;
  });
  return `{"operations":[${operations.join(',')}]}`;
}

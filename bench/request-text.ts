import type { RequestShape } from './load-messages.ts';

/** A document of 100 bytes whose number keeps its length. */
function documentBody(n: number): string {
  const id = String(n).padStart(10, '0');
  return `{"id":"${id}","items":[{"sku":"A-1001","quantity":2},{"sku":"B-20","quantity":1}],"note":"none"}`;
}

/** Answers a function that gives the text of the n-th request. What does not change is put together only once. */
export function requestText(shape: RequestShape): (n: number) => string {
  const { method, path, key, keys, body, headers } = shape;
  const lines = Object.entries({ host: '127.0.0.1', ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  const before = `${method} ${path[0]}${key}`;
  const number = (n: number) => (keys === 0 ? '' : String(n % keys));
  if (body === 'document') {
    const length = documentBody(0).length;
    const after = `${path[1]} HTTP/1.1\r\n${lines.join('')}content-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;
    return (n) => before + number(n) + after + documentBody(n);
  }
  const empty = method === 'GET' ? '' : 'content-length: 0\r\n';
  const after = `${path[1]} HTTP/1.1\r\n${lines.join('')}${empty}\r\n`;
  return (n) => before + number(n) + after;
}

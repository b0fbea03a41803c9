import type { IncomingMessage } from 'node:http';

const heads = new WeakSet<IncomingMessage>();

/** Routes know only GET; Node has taken note by now that no body may be sent. Hono would leave out Content-Length, too. */
export function handleHeadAsGet(request: IncomingMessage): void {
  if (request.method !== 'HEAD') return;
  heads.add(request);
  request.method = 'GET';
}

/** For an answer without an end. */
export function wantsNoBody(request: IncomingMessage): boolean {
  return heads.has(request);
}

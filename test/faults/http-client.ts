import { Agent, request } from 'node:http';

export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutMs: number;
}

/** `error`: the connection's; then there was no answer. */
export type HttpAnswer =
  | {
      readonly status: number;
      readonly etag: string | undefined;
      readonly cacheStatus?: string;
      readonly body: string;
    }
  | { readonly error: string };

export interface HttpClient {
  send(options: HttpRequest): Promise<HttpAnswer>;
  close(): void;
}

/** Plain HTTP/1.1, so that what happened to a connection is known: no retries, no redirects. Never rejects. */
export function createHttpClient(options: { readonly keepAlive: boolean }): HttpClient {
  const agent = new Agent({ keepAlive: options.keepAlive, maxSockets: Number.POSITIVE_INFINITY });
  return {
    send: ({ method, url, headers = {}, body, timeoutMs }) =>
      new Promise((resolve) => {
        const sent = request(url, {
          method,
          agent,
          headers: {
            ...(body === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
            ...headers,
          },
        });
        const timer = setTimeout(
          () => sent.destroy(Object.assign(new Error(), { code: 'TIMEOUT' })),
          timeoutMs,
        );
        const fail = (error: NodeJS.ErrnoException) => {
          clearTimeout(timer);
          resolve({ error: error.code ?? error.message });
        };
        sent.once('error', fail);
        sent.once('response', (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.once('error', fail);
          response.once('end', () => {
            clearTimeout(timer);
            resolve({
              status: response.statusCode ?? 0,
              etag: response.headers.etag,
              cacheStatus: String(response.headers['cache-status']),
              body: Buffer.concat(chunks).toString(),
            });
          });
        });
        sent.end(body);
      }),
    close: () => agent.destroy(),
  };
}

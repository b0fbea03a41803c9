import { type Agent, request } from 'node:http';
import type { SeenAnswer } from './openapi.ts';

export interface HttpAnswer extends SeenAnswer {
  readonly headers: Readonly<Record<string, string>>;
}

/** One request with its target as it is: `fetch` would tidy up the path. */
export function httpCall(
  url: string,
  options: {
    readonly agent: Agent;
    readonly method: string;
    readonly target: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: Buffer | undefined;
  },
): Promise<HttpAnswer> {
  const { hostname, port } = new URL(url);
  const { agent, method, target, headers, body } = options;
  const length = body === undefined ? {} : { 'content-length': String(body.length) };
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { agent, hostname, port, method, path: target, headers: { ...headers, ...length } },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () => {
          const received = incoming.headers as Record<string, string>;
          resolve({
            status: incoming.statusCode ?? 0,
            headers: received,
            header: (name) => received[name.toLowerCase()],
            text: Buffer.concat(chunks).toString('utf8'),
          });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SettingsError } from '../config/problem.ts';

/**
 * Serves `GET /metrics`, and nothing else, to whoever reaches the port: a worker knows no API keys. Answers where that is, for
 * example `http://127.0.0.1:9464/metrics`.
 * @throws SettingsError where the address cannot be had.
 */
export async function serveMetrics(
  { host, port }: { readonly host: string; readonly port: number },
  scrape: () => Promise<string>,
): Promise<string> {
  const server = createServer((request, response) => {
    if (request.url !== '/metrics' || (request.method !== 'GET' && request.method !== 'HEAD')) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('There is only GET /metrics here.\n');
      return;
    }
    scrape().then(
      (text) => {
        response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text);
      },
      () => response.writeHead(500).end(),
    );
  });
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new SettingsError([
      `WORKER_METRICS_PORT: cannot listen on ${host}:${port}: ${(error as Error).message}`,
    ]);
  }
  // It must not keep a process running whose worker has ended.
  server.unref();
  const { port: bound } = server.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${bound}/metrics`;
}

import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

const SCRAPE_MS = 1_000;

/**
 * The native part of the Temporal SDK has metrics of its own, and serves them by itself: on a loopback port that it must be
 * told, from where they are handed on with those of the worker. In the text format of Prometheus; empty where they cannot be
 * had. Takes a second at most.
 */
export async function scrapeSdk(bindAddress: string): Promise<string> {
  try {
    const answer = await fetch(`http://${bindAddress}/metrics`, { signal: AbortSignal.timeout(SCRAPE_MS) });
    return answer.ok ? await answer.text() : '';
  } catch {
    return '';
  }
}

/** A port of the loopback address that was free a moment ago. */
export async function freeLoopbackAddress(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `127.0.0.1:${port}`;
}

import type { Services } from './services.ts';
import { connectDatabase, connectRedis, startProgram, startServer } from './start-program.ts';
import type { System } from './system.ts';

/** Programs in bench/peers, and what they need. */
export interface Peer {
  readonly server: string;
  readonly worker?: string;
  readonly needs: readonly ('redis' | 'postgres' | 'temporal')[];
}

/** Starts a peer on services of its own. */
export async function startPeer(services: Services, peer: Peer): Promise<System> {
  const name = `peer-${peer.server}`;
  const needs = new Set(peer.needs);
  const redis = needs.has('redis') ? await services.newRedis(name) : undefined;
  const database = needs.has('postgres') ? await services.newDatabase(name.replaceAll('-', '_')) : undefined;
  const env = {
    ...(redis && { REDIS_URL: redis.url }),
    ...(database && { DATABASE_URL: database.url }),
    ...(needs.has('temporal') && {
      TEMPORAL_ADDRESS: services.temporal.address,
      TEMPORAL_NAMESPACE: await services.newNamespace(name),
    }),
  };
  const program = (file: string) => ({ name: `peer-${file}`, file: `bench/peers/${file}.js`, env });
  const worker = peer.worker === undefined ? undefined : await startProgram(services, program(peer.worker));
  const { port, pid: server } = await startServer(services, program(peer.server), '/livez');
  return {
    ports: [port],
    parts: {
      server: [server],
      ...(redis && { redis: [redis.pid] }),
      ...(worker && { worker: [worker.pid] }),
      ...(database && { postgres: [database.pid] }),
      ...(needs.has('temporal') && { temporal: [services.temporal.pid] }),
    },
    db: database && (await connectDatabase(database.url)),
    table: 'entries',
    redis: redis && connectRedis(redis.url),
    async settled() {
      const response = await fetch(`http://127.0.0.1:${port}/pending`);
      return ((await response.json()) as { pending: number }).pending === 0;
    },
  };
}

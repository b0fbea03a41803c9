import { createDatabase, createNamespace, services } from './services.ts';
import { type System, type SystemOptions, startSystem } from './system.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

export type ServiceName = 'redis' | 'postgres' | 'temporal';

/** A system that reaches each of its services through a network that can fail. */
export interface ProxiedSystem extends System {
  readonly proxies: Readonly<Record<ServiceName, TcpProxy>>;
  /** The database, not through its proxy. */
  readonly databaseUrl: string;
}

export async function startSystemBehindProxies(
  options: Omit<SystemOptions, 'databaseUrl' | 'temporalAddress'> = {},
): Promise<ProxiedSystem> {
  const [database, namespace] = await Promise.all([createDatabase(), createNamespace()]);
  const target = new URL(database.url);
  const postgres = await startTcpProxy({ port: Number(target.port), host: target.hostname });
  const [host, port] = services().temporalAddress.split(':');
  const temporal = await startTcpProxy({ port: Number(port), ...(host === undefined ? {} : { host }) });
  target.hostname = postgres.host;
  target.port = String(postgres.port);
  // The address of Redis is known only when the system has started it.
  const system = await startSystem({
    ...options,
    apis: 0,
    workers: 0,
    databaseUrl: target.href,
    temporalAddress: `${temporal.host}:${temporal.port}`,
    env: { TEMPORAL_NAMESPACE: namespace, ...options.env },
  });
  const redis = await startTcpProxy({ port: system.redis.port });
  const env = { REDIS_URL: `redis://${redis.host}:${redis.port}` };
  const startApi = (extra = {}) => system.startApi({ ...env, ...extra });
  const startWorker = (extra = {}) => system.startWorker({ ...env, ...extra });
  const workers = await Promise.all(Array.from({ length: options.workers ?? 1 }, () => startWorker()));
  const apis = await Promise.all(Array.from({ length: options.apis ?? 0 }, () => startApi()));
  return {
    ...system,
    apis,
    workers,
    url: apis[0]?.url ?? '',
    startApi,
    startWorker,
    proxies: { redis, postgres, temporal },
    databaseUrl: database.url,
    async stop() {
      await system.stop();
      await Promise.all([redis, postgres, temporal].map((proxy) => proxy.close()));
      await database.drop();
    },
  };
}

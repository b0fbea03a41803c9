import type { ContenderId, Workload } from './names.ts';
import type { BenchOptions } from './options.ts';
import type { Services } from './services.ts';
import { startHoldfast } from './start-holdfast.ts';
import { type Peer, startPeer } from './start-peer.ts';
import type { System } from './system.ts';

/** One line of a table: a system, and what its writes wait for. */
export interface Contender {
  readonly id: ContenderId;
  readonly name: string;
  readonly system: System;
  readonly workloads: readonly Workload[];
  readonly headers: Readonly<Record<string, string>>;
  /** The collection that its documents are in. */
  readonly collection: 'carts' | 'orders';
  /** Acknowledged before PostgreSQL has it, which is then waited for. */
  readonly behind: boolean;
}

type Kind = Pick<Contender, 'id' | 'name' | 'workloads' | 'behind'>;

const WRITES: readonly Workload[] = ['put', 'zipf', 'mixed'];

const PEERS: readonly (Kind & { readonly peer: Peer })[] = [
  {
    id: 'a',
    name: '(a) Hono + Redis',
    peer: { server: 'redis', needs: ['redis'] },
    workloads: [...WRITES, 'increment', 'get'],
    behind: false,
  },
  {
    id: 'b',
    name: '(b) Hono + PostgreSQL',
    peer: { server: 'postgres-upsert', needs: ['postgres'] },
    workloads: [...WRITES, 'increment', 'cold'],
    behind: false,
  },
  {
    id: 'c',
    name: '(c) write-through by hand',
    peer: { server: 'write-through', needs: ['redis', 'postgres'] },
    workloads: WRITES,
    behind: false,
  },
  {
    id: 'd',
    name: '(d) write-behind, BullMQ',
    peer: { server: 'bullmq', worker: 'bullmq-worker', needs: ['redis', 'postgres'] },
    workloads: WRITES,
    behind: true,
  },
  {
    id: 'e',
    name: '(e) write-behind, stream',
    peer: { server: 'redis-stream', worker: 'stream-consumer', needs: ['redis', 'postgres'] },
    workloads: WRITES,
    behind: true,
  },
  {
    id: 'h',
    name: '(h) hot row in PostgreSQL',
    peer: { server: 'postgres-counter', needs: ['postgres'] },
    workloads: ['increment'],
    behind: false,
  },
  {
    id: 'w',
    name: '(w) bare workflow start',
    peer: { server: 'workflow-start', worker: 'workflow-worker', needs: ['temporal'] },
    workloads: ['put'],
    behind: false,
  },
];

const HOLDFAST: readonly (Kind & Pick<Contender, 'headers' | 'collection'>)[] = [
  ...(['cached', 'queued', 'persisted'] as const).map((level) => ({
    id: level,
    name: `Holdfast ${level}`,
    workloads: [...WRITES, 'increment', 'batch'] as const,
    // `persisted` may be answered with less, when it takes too long: then the row is still to come.
    behind: true,
    headers: { prefer: `durability=${level}` },
    collection: 'carts' as const,
  })),
  {
    id: 'through',
    name: 'Holdfast write-through',
    workloads: WRITES,
    behind: false,
    headers: {},
    collection: 'orders',
  },
  {
    id: 'reads',
    name: 'Holdfast',
    workloads: ['get', 'cold'],
    behind: false,
    headers: {},
    collection: 'carts',
  },
];

/** Starts a peer. @throws Error where there is none of this id */
export async function startPeerContender(services: Services, id: ContenderId): Promise<Contender> {
  const found = PEERS.find((peer) => peer.id === id);
  if (found === undefined) throw new Error(`there is no peer (${id})`);
  const { peer, ...kind } = found;
  return { ...kind, system: await startPeer(services, peer), headers: {}, collection: 'carts' };
}

/** One Holdfast, as the lines with these ids: what its writes wait for. */
export function holdfastContenders(system: System, ids: readonly ContenderId[]): Contender[] {
  return HOLDFAST.filter(({ id }) => ids.includes(id)).map((kind) => ({ ...kind, system }));
}

/** Starts every system that this run needs, one after the other. */
export async function startContenders(
  services: Services,
  { systems, settings, profile }: BenchOptions,
): Promise<Contender[]> {
  const contenders: Contender[] = [];
  for (const { id } of PEERS.filter(({ id }) => systems.includes(id))) {
    contenders.push(await startPeerContender(services, id));
  }
  const needed = HOLDFAST.some(({ id }) => systems.includes(id));
  for (const [index, own] of (needed ? settings : []).entries()) {
    const system = await startHoldfast(services, { number: index + 1, settings: own, profile });
    const named = Object.entries(own).map(([name, value]) => ` ${name}=${value}`);
    const suffix = settings.length > 1 ? named.join('') : '';
    const lines = holdfastContenders(system, systems);
    contenders.push(...lines.map((line) => ({ ...line, name: `${line.name}${suffix}` })));
  }
  return contenders;
}

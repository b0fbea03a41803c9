import type { LoadRequest, RequestShape } from './load-messages.ts';
import type { BenchOptions, Workload } from './options.ts';
import type { Services } from './services.ts';
import { type System, startHoldfast, startPeer } from './systems.ts';

/** Entries that reads choose from. */
const READ_KEYS = 2_000;

const CARTS = '/v1/collections/carts/entries/';
const VIEWS = '/v1/collections/page-views/entries/';

/** One line of a table: a system, and what its writes wait for. */
export interface Contender {
  readonly name: string;
  /** A peer's letter: the others are compared with it. */
  readonly letter: 'a' | 'b' | 'c' | undefined;
  readonly system: System;
  readonly workloads: readonly Workload[];
  readonly headers: Readonly<Record<string, string>>;
  /** Acknowledged before PostgreSQL has it, which is then waited for. */
  readonly behind: boolean;
}

/** What to send: `put` to unique keys that begin with `key`, `increment` of one key, `get` of entries put before. */
export function requestShape(workload: Workload, contender: Contender, key: string): RequestShape {
  const { headers } = contender;
  switch (workload) {
    case 'put':
      return {
        method: 'PUT',
        path: [CARTS, ''],
        key,
        keys: Number.MAX_SAFE_INTEGER,
        body: 'document',
        headers,
      };
    case 'increment':
      return { method: 'POST', path: [VIEWS, '/increment'], key: 'hot', keys: 0, body: 'none', headers };
    case 'get':
      return { method: 'GET', path: [CARTS, ''], key: 'read-', keys: READ_KEYS, body: 'none', headers };
  }
}

/** Writes the entries that `get` reads. */
export function fillRequest(contender: Contender): LoadRequest {
  return {
    port: contender.system.port,
    clients: 16,
    warmupMs: 0,
    measureMs: 60_000,
    total: READ_KEYS,
    shape: { ...requestShape('put', contender, 'read-'), keys: READ_KEYS },
  };
}

async function peers(services: Services): Promise<Contender[]> {
  const peer = { headers: {}, behind: false };
  return [
    {
      ...peer,
      name: '(a) Hono + Redis',
      letter: 'a',
      system: await startPeer(services, 'redis', 'redis'),
      workloads: ['put', 'increment', 'get'],
    },
    {
      ...peer,
      name: '(b) Hono + PostgreSQL upsert',
      letter: 'b',
      system: await startPeer(services, 'postgres-upsert', 'postgres'),
      workloads: ['put'],
    },
    {
      ...peer,
      name: '(c) Hono + PostgreSQL hot row',
      letter: 'c',
      system: await startPeer(services, 'postgres-counter', 'postgres'),
      workloads: ['increment'],
    },
  ];
}

async function holdfast(services: Services, options: BenchOptions, partitions: number): Promise<Contender[]> {
  const apiNodeArgs =
    options.cpuProfile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.cpuProfile}`];
  const system = await startHoldfast(services, { partitions, apiNodeArgs });
  const suffix = options.partitions.length > 1 ? `, ${partitions} partition${partitions > 1 ? 's' : ''}` : '';
  const common = { letter: undefined, system };
  return [
    ...options.levels.map(
      (level): Contender => ({
        ...common,
        name: `Holdfast ${level}${suffix}`,
        workloads: ['put', 'increment'],
        headers: { prefer: `durability=${level}` },
        behind: true,
      }),
    ),
    { ...common, name: `Holdfast${suffix}`, workloads: ['get'], headers: {}, behind: false },
  ];
}

/** Starts every system of this run. */
export async function startContenders(services: Services, options: BenchOptions): Promise<Contender[]> {
  const contenders = options.peers ? await peers(services) : [];
  for (const partitions of options.partitions) {
    contenders.push(...(await holdfast(services, options, partitions)));
  }
  return contenders;
}

import type { Contender } from './contenders.ts';
import type { LoadRequest, RequestShape } from './load-messages.ts';
import type { Workload } from './names.ts';

/** Entries that are there before `get` and `mixed` begin. */
const READ_KEYS = 2_000;
const ZIPF_KEYS = 10_000;
/** The share of reads in `mixed`. */
const MOSTLY_READS = 0.9;
/** Operations in one request of `batch`: as many as Holdfast takes by default. */
const BATCH_OPERATIONS = 100;

const FILLED = 'read-';

/** What to send. `key` begins the keys that belong to one cell alone. */
export function requestShape(
  workload: Workload,
  { id, collection, headers }: Contender,
  key: string,
  bytes: number,
): RequestShape {
  const entries = `/v1/collections/${collection}/entries/`;
  const common = { path: [entries, ''], key, of: 0, bytes, reads: 0, batch: 0, headers } as const;
  switch (workload) {
    case 'put':
      return { ...common, method: 'PUT', pick: 'each' };
    case 'zipf':
      return { ...common, method: 'PUT', key: 'zipf-', pick: 'zipf', of: ZIPF_KEYS };
    case 'mixed':
      return { ...common, method: 'PUT', key: FILLED, pick: 'zipf', of: READ_KEYS, reads: MOSTLY_READS };
    case 'increment': {
      // One upsert a request, of a row that no other request waits for: the best that (b) can do.
      if (id === 'b') return { ...common, method: 'PUT', pick: 'each' };
      const path = ['/v1/collections/page-views/entries/', '/increment'] as const;
      return { ...common, path, method: 'POST', key: 'hot', pick: 'nothing', bytes: 0 };
    }
    case 'get':
      return { ...common, method: 'GET', key: FILLED, pick: 'cycle', of: READ_KEYS };
    case 'cold':
      return { ...common, method: 'GET', pick: 'each' };
    case 'batch':
      return { ...common, path: ['/v1/batch', ''], method: 'POST', pick: 'each', batch: BATCH_OPERATIONS };
  }
}

/** Writes the entries that `get` and `mixed` read. */
export function fillRequest(contender: Contender, bytes: number): LoadRequest {
  return {
    ports: contender.system.ports,
    clients: 16,
    warmupMs: 0,
    measureMs: 60_000,
    total: READ_KEYS,
    shape: { ...requestShape('put', contender, FILLED, bytes), pick: 'cycle', of: READ_KEYS },
  };
}

import type { Random } from '../../dev/random.ts';
import { type Call, nameOf } from './history.ts';

type DurableCall = Pick<Call, 'operation' | 'collection' | 'key' | 'token' | 'by' | 'condition'> & {
  readonly prefer?: string;
};

/** Few, so that calls to one of them overlap all the time. */
const KEYS = 3;

/**
 * A call to a durable collection. Its writes never ask for less than `queued`, which alone would be too little for a
 * linearizable register, and its deletions have no condition, as the checker presumes.
 */
export function nextDurableCall(
  random: Random,
  prefix: string,
  token: string,
  lastSeen: ReadonlyMap<string, number | null>,
): DurableCall {
  const key = `${prefix}d${random.int(0, KEYS - 1)}`;
  const prefer = random.pick(['queued', 'queued', 'queued', 'persisted']);
  const conditional = random.chance(0.3);
  const kind = random.int(1, 100);

  if (kind <= 15) return { operation: 'read', collection: 'quotas', key };
  if (kind <= 30) return { operation: 'increment', collection: 'quotas', key, by: random.int(1, 3), prefer };
  if (kind <= 65) return { operation: 'read', collection: 'sessions', key };
  if (kind <= 73) return { operation: 'delete', collection: 'sessions', key, prefer };
  const put = { operation: 'put', collection: 'sessions', key, token, prefer } as const;
  const seen = lastSeen.get(nameOf(put));
  if (!conditional || seen === undefined) return put;
  return { ...put, condition: seen === null ? { ifAbsent: true } : { ifVersion: seen } };
}

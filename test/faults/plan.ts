import { type Random, shuffled } from '../../dev/random.ts';
import { MAX_KEY_BYTES } from '../../domain/entry.ts';
import { nextDurableCall } from './durable-calls.ts';
import type { Call, Operation } from './history.ts';
import type { WorkloadOptions } from './workload-options.ts';

const HOT_KEYS = 2;
const DURABLE_SHARE = 0.3;
/** Of the increments: sent with an Idempotency-Key, and again until the answer is known. */
const KEYED_SHARE = 0.5;
/** Of the puts that have no size of their own. */
const PATCH_SHARE = 0.25;
/** Of the puts of orders. */
const TOGETHER_SHARE = 0.2;
/** Of the puts of carts. */
const BESIDE_SHARE = 0.25;

/** What a client is going to send. */
export interface Plan {
  readonly operation: Operation;
  /** A put that changes one member of the document that is there: PATCH. It leaves the token of this plan all the same. */
  readonly patches?: true;
  /** A put in one transaction with these, which are puts of other entries: `/v1/batch`. */
  readonly together?: readonly Plan[];
  /** In one request with these, each for itself: `/v1/batch`. */
  readonly beside?: readonly Plan[];
  readonly collection: string;
  readonly key: string;
  readonly token?: string;
  /** Of the body, where it is not short. */
  readonly bytes?: number;
  readonly by?: number;
  readonly condition?: NonNullable<Call['condition']>;
  readonly prefer?: string;
  /** Sent with this Idempotency-Key, and again until the answer is known. */
  readonly idempotencyKey?: string;
}

/** The seed's next decision for a client. */
export function nextCall(
  random: Random,
  client: number,
  n: number,
  options: WorkloadOptions,
  lastSeen: ReadonlyMap<string, number | null>,
): Plan {
  const hot = random.chance(0.4);
  const number = random.int(0, (hot ? HOT_KEYS : options.keysPerCollection) - 1);
  const shortKey = `${options.prefix}${hot ? 'hot' : 'k'}${number}`;
  const key = options.longKeys === true && number % 2 === 1 ? lengthened(shortKey) : shortKey;
  const token = `${options.prefix}c${client}n${n}`;
  // A third of the clients never waits for more than the cache: the others hang on what is down.
  const patient = client % 3 !== 0;
  if (patient && random.chance(DURABLE_SHARE)) {
    return nextDurableCall(random, options.prefix, token, lastSeen);
  }
  const choice = random.int(1, 100);
  const conditional = random.chance(0.3);

  if (choice <= 20) {
    const prefer = patient ? random.pick(['cached', 'cached', 'queued', 'persisted']) : 'cached';
    const idempotencyKey = random.chance(KEYED_SHARE) ? { idempotencyKey: token } : {};
    const by = random.int(1, 5);
    return { operation: 'increment', collection: 'page-views', key, by, prefer, ...idempotencyKey };
  }
  if (choice <= 26) return { operation: 'read', collection: 'page-views', key };
  const collection = choice <= 65 || !patient ? 'carts' : 'orders';
  const conditionOf = () => {
    const seen = lastSeen.get(`${collection}/${key}`);
    if (!conditional || seen === undefined) return {};
    return { condition: seen === null ? { ifAbsent: true as const } : { ifVersion: seen } };
  };
  const prefer = patient ? random.pick(['cached', 'queued', 'queued', 'persisted']) : 'cached';
  const level = collection === 'carts' ? { prefer } : {};
  const kind = random.int(1, 100);
  if (kind <= 45) return { operation: 'read', collection, key };
  if (kind <= 45 + (options.deletions ?? 7)) {
    const condition = conditionOf();
    const usable = 'condition' in condition && !('ifAbsent' in (condition.condition ?? {})) ? condition : {};
    return { operation: 'delete', collection, key, ...level, ...usable };
  }
  if (collection === 'carts' && options.poison !== undefined && random.chance(options.poison)) {
    return { operation: 'put', collection, key, token: `poison-${token}`, ...level };
  }
  const bytes = options.bodyBytes?.(random);
  const size = bytes === undefined ? {} : { bytes };
  const put: Plan = { operation: 'put', collection, key, token, ...size, ...level, ...conditionOf() };
  if (bytes !== undefined) return put;
  const ifAbsent = put.condition !== undefined && 'ifAbsent' in put.condition;
  // Neither has a condition that there be nothing.
  if (ifAbsent) return put;
  if (random.chance(PATCH_SHARE)) return { ...put, patches: true };
  const share = collection === 'orders' ? TOGETHER_SHARE : BESIDE_SHARE;
  if (!random.chance(share)) return put;
  const keys = Array.from({ length: options.keysPerCollection }, (_, i) => `${options.prefix}k${i}`);
  const others = shuffled(
    random,
    keys.filter((other) => other !== key),
  ).slice(0, random.int(1, collection === 'orders' ? 2 : 4));
  const puts = others.map((other, i): Plan => {
    return { operation: 'put', collection, key: other, token: `${token}t${i}` };
  });
  if (collection === 'orders') return { ...put, together: puts };
  const beside = puts.map((one): Plan => {
    if (random.chance(0.15)) return { operation: 'delete', collection, key: one.key };
    if (!random.chance(0.2)) return one;
    return { operation: 'increment', collection: 'page-views', key: one.key, by: random.int(1, 5) };
  });
  return { ...put, beside };
}

/** Of 512 bytes, not all of them plain letters. */
function lengthened(key: string): string {
  const letters = '/?%"\'{}é€';
  const room = MAX_KEY_BYTES - Buffer.byteLength(key);
  const bytes = Buffer.byteLength(letters);
  return key + letters.repeat(room / bytes) + 'x'.repeat(room % bytes);
}

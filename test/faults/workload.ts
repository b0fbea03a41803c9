import { setTimeout as sleep } from 'node:timers/promises';
import { MAX_KEY_BYTES } from '../../domain/entry.ts';
import { nextDurableCall } from './durable-calls.ts';
import type { Call, Operation } from './history.ts';
import { nameOf } from './history.ts';
import { createHttpClient } from './http-client.ts';
import { NEVER_REACHED, observe } from './outcome.ts';
import type { Random } from './random.ts';

/** Beyond the deadline of a request, its grace, and what a busy machine adds. */
const SLACK_MS = 5_000;
const THINK_MS = [8, 40] as const;
const HOT_KEYS = 2;
const DURABLE_SHARE = 0.3;
/** Of the increments: sent with an Idempotency-Key, and again until the answer is known. */
const KEYED_SHARE = 0.5;
const MOST_SENDS = 8;
const REPEAT_MS = [50, 400] as const;

export interface WorkloadOptions {
  readonly random: Random;
  /** In every key and token: runs on one database stay apart. */
  readonly prefix: string;
  readonly clients: number;
  readonly keysPerCollection: number;
  /** Read at each call: processes come and go. */
  readonly urls: () => readonly string[];
  readonly requestDeadlineMs: number;
  /** The share of cart puts whose value PostgreSQL refuses. */
  readonly poison?: number;
  /** How long the body of a put is, where it is not short. */
  readonly bodyBytes?: (random: Random) => number | undefined;
  /** Every second key is as long as a key may be. */
  readonly longKeys?: boolean;
  /** How many of 100 calls to documents delete. Default: 7. */
  readonly deletions?: number;
  /** Whether connections are used again. Default: yes. */
  readonly keepAlive?: boolean;
}

export interface Workload {
  /** Grows while it runs. A call is added when it has ended. */
  readonly calls: readonly Call[];
  /** Lets every client finish its call. */
  stop(): Promise<void>;
}

interface Plan {
  readonly operation: Operation;
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

/**
 * Clients that each send one call after the other. What they do is the seed's decision; only which versions their
 * conditions name depends on what they have seen.
 */
export function startWorkload(options: WorkloadOptions): Workload {
  const calls: Call[] = [];
  const lastSeen = new Map<string, number | null>();
  const http = createHttpClient({ keepAlive: options.keepAlive ?? true });
  let stopping = false;

  async function send(client: number, api: number, plan: Plan): Promise<Call> {
    const { operation, collection, key, token, bytes, by, condition, prefer, idempotencyKey } = plan;
    const path = `/v1/collections/${collection}/entries/${encodeURIComponent(key)}`;
    const headers: Record<string, string> = {};
    if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey;
    if (prefer !== undefined) headers.prefer = `durability=${prefer}`;
    if (condition !== undefined) {
      if ('ifVersion' in condition) headers['if-match'] = `"${condition.ifVersion}"`;
      else headers['if-none-match'] = '*';
    }
    const method = { read: 'GET', put: 'PUT', delete: 'DELETE', increment: 'POST' }[operation];
    const body =
      operation === 'put'
        ? putBody(token ?? '', bytes)
        : by === undefined
          ? undefined
          : JSON.stringify({ by });
    const start = performance.now();
    const answer = await http.send({
      method,
      url: `${options.urls()[api] ?? ''}${path}${operation === 'increment' ? '/increment' : ''}`,
      headers,
      ...(body === undefined ? {} : { body }),
      timeoutMs: options.requestDeadlineMs + SLACK_MS,
    });
    const call: Call = {
      client,
      api,
      operation,
      collection,
      key,
      ...(token === undefined ? {} : { token }),
      ...(bytes === undefined ? {} : { bytes }),
      ...(by === undefined ? {} : { by }),
      ...(condition === undefined ? {} : { condition }),
      start,
      end: performance.now(),
      ...observe(operation, answer),
    };
    return call;
  }

  /** As one call from its first start to its last end: whether it happened is known once one of them has an answer. */
  async function sendUntilKnown(client: number, random: Random, plan: Plan): Promise<Call> {
    const anyApi = () => random.int(0, options.urls().length - 1);
    const first = await send(client, anyApi(), plan);
    let last = first;
    let sent = 1;
    for (; plan.idempotencyKey !== undefined && last.outcome !== 'ok' && sent < MOST_SENDS; sent++) {
      // What certainly did not happen, however often it was sent, is what any other client gives up.
      if (first.outcome === 'failed') break;
      await sleep(random.int(...REPEAT_MS));
      last = await send(client, anyApi(), plan);
    }
    // One try that failed does not tell what became of the tries before it.
    const outcome = last.outcome === 'ok' ? 'ok' : first.outcome;
    return plan.idempotencyKey === undefined ? last : { ...last, start: first.start, outcome, sent };
  }

  async function run(client: number): Promise<void> {
    const random = options.random.fork(`client ${client}`);
    for (let n = 0; !stopping; n++) {
      const plan = nextCall(random, client, n, options, lastSeen);
      const call = await sendUntilKnown(client, random, plan);
      calls.push(call);
      if (call.outcome === 'ok') {
        if (call.version !== undefined && call.operation !== 'delete')
          lastSeen.set(nameOf(call), call.version);
        else lastSeen.set(nameOf(call), null);
      }
      // Clients that are turned away at once would otherwise do nothing but come back.
      await sleep(
        random.int(...THINK_MS) + (call.outcome === 'ok' ? 0 : call.code === NEVER_REACHED ? 20 : 60),
      );
    }
  }

  const running = Array.from({ length: options.clients }, (_, client) => run(client));
  return {
    calls,
    async stop() {
      stopping = true;
      await Promise.all(running);
      http.close();
    },
  };
}

function nextCall(
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
  return { operation: 'put', collection, key, token, ...size, ...level, ...conditionOf() };
}

/** Every character of it doubles where the text is put into a JSON string once more, as it is on its way to Temporal. */
function putBody(token: string, bytes: number | undefined): string {
  const head = `{"token":${JSON.stringify(token)},"filler":"`;
  const room = bytes === undefined ? 40 : bytes - head.length - 2;
  return `${head}${'\\"'.repeat(room / 2)}${room % 2 === 1 ? 'x' : ''}"}`;
}

/** Of 512 bytes, not all of them plain letters. */
function lengthened(key: string): string {
  const letters = '/?%"\'{}é€';
  const room = MAX_KEY_BYTES - Buffer.byteLength(key);
  const bytes = Buffer.byteLength(letters);
  return key + letters.repeat(room / bytes) + 'x'.repeat(room % bytes);
}

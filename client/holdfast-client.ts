import { checkedAddress, checkedKey } from './address.ts';
import { checkedDeadline, deadlineOf } from './deadline.ts';
import { HoldfastClientError } from './holdfast-error.ts';
import { type Request, type Sender, send } from './send.ts';
import type {
  BatchOperation,
  BatchResult,
  CallOptions,
  CounterReceipt,
  Durability,
  Entry,
  Listing,
  Receipt,
  WriteOptions,
} from './types.ts';
import { encoded, entityTag, jsonOf, sendable, versionIn } from './wire.ts';

export interface ClientOptions {
  /** Of the API, for example `http://127.0.0.1:8080`. */
  readonly url: string;
  /** An API key, where the server has any. */
  readonly key?: string | undefined;
  /** For each call with all its repetitions, in ms, above 0; `Infinity`: no limit. Default: 15,000. */
  readonly deadlineMs?: number | undefined;
  /** Default: the global one. */
  readonly fetch?: typeof fetch | undefined;
}

export interface HoldfastClient {
  /**
   * The documents of a collection, of type `V`.
   * @throws HoldfastClientError where no collection can have the name.
   */
  documents<V = unknown>(collection: string): Documents<V>;
  /** @throws as `documents`. */
  counters(collection: string): Counters;
  /** Many writes, with one result each; `atomic`: all or none, in collections that are written through. */
  batch(
    operations: readonly BatchOperation[],
    options?: Omit<WriteOptions, 'ifMatch' | 'ifAbsent'> & { readonly atomic?: boolean },
  ): Promise<readonly BatchResult[]>;
}

/** What documents and counters have in common. Every method throws HoldfastClientError. */
export interface Entries<V, R> {
  /** `undefined`: there is no such entry. Numbers beyond 2^53 are rounded by `JSON.parse`: see `getText`. */
  get(key: string, options?: CallOptions): Promise<Entry<V> | undefined>;
  /** The value's JSON text as Holdfast has it. */
  getText(key: string, options?: CallOptions): Promise<Entry<string> | undefined>;
  put(key: string, value: V, options?: WriteOptions): Promise<R>;
  delete(key: string, options?: Omit<WriteOptions, 'ifAbsent'>): Promise<Receipt>;
  /** Those of the entries that there are, by key. */
  getMany(keys: readonly string[], options?: CallOptions): Promise<Map<string, Entry<V>>>;
  /** What is persisted, in the order of keys. */
  list(
    page?: CallOptions & { readonly after?: string; readonly limit?: number; readonly prefix?: string },
  ): Promise<Listing<V>>;
}

export interface Documents<V> extends Entries<V, Receipt> {
  /** Sets the value to a JSON text, exactly. */
  putText(key: string, json: string, options?: WriteOptions): Promise<Receipt>;
  /** RFC 7396: `null` removes a member. */
  patch(key: string, patch: unknown, options?: Omit<WriteOptions, 'ifAbsent'>): Promise<Receipt>;
}

export interface Counters extends Entries<number, Receipt> {
  /** `by`: an integer, 1 if not given. */
  increment(key: string, by?: number, options?: WriteOptions): Promise<CounterReceipt>;
}

/**
 * A client of the HTTP API: small, on `fetch`, without state but its options.
 * @throws TypeError where the address, the key or the deadline cannot be used.
 */
export function createHoldfastClient({ url, key, deadlineMs, ...options }: ClientOptions): HoldfastClient {
  const sender: Sender = {
    url: checkedAddress(url),
    key: checkedKey(key),
    fetch: options.fetch ?? fetch,
  };
  const ofClient = checkedDeadline(deadlineMs);
  const call = (request: Request, { signal, deadlineMs: own }: CallOptions = {}) =>
    send(sender, request, { signal, deadlineMs: deadlineOf(own, ofClient) });

  async function write<R extends Receipt>(
    request: Omit<Request, 'effect'> & { readonly absolute: boolean },
    options: WriteOptions = {},
  ): Promise<R> {
    const { absolute, headers, ...rest } = request;
    const conditional = options.ifMatch !== undefined || options.ifAbsent === true;
    const repeatable = (absolute && !conditional) || options.idempotencyKey !== undefined;
    const answer = await call(
      {
        ...rest,
        headers: { ...headers, ...writeHeaders(options) },
        effect: repeatable ? 'repeatable' : 'once',
      },
      options,
    );
    const receipt = answer.json as R;
    return answer.headers.has('idempotent-replayed') ? { ...receipt, replayed: true } : receipt;
  }

  function entries<V>(collection: string) {
    const base = `/v1/collections/${encoded(collection)}`;
    const path = (entry: string) => `${base}/entries/${encoded(entry)}`;
    async function putText(entry: string, json: string, options?: WriteOptions) {
      const body = sendable(json);
      const request = { method: 'PUT', path: path(entry), headers: JSON_TYPE, absolute: true } as const;
      return await write<Receipt>({ ...request, body }, options);
    }

    async function found(entry: string, options?: CallOptions) {
      try {
        const answer = await call({ method: 'GET', path: path(entry), effect: 'read' }, options);
        return { ...answer, version: versionIn(answer.headers) };
      } catch (error) {
        if (error instanceof HoldfastClientError && error.code === 'entry-not-found') return undefined;
        throw error;
      }
    }

    return {
      path,
      putText,
      async getText(entry: string, options?: CallOptions): Promise<Entry<string> | undefined> {
        const answer = await found(entry, options);
        return answer && { value: answer.text, version: answer.version };
      },
      async get(entry: string, options?: CallOptions): Promise<Entry<V> | undefined> {
        const answer = await found(entry, options);
        return answer && { value: answer.json as V, version: answer.version };
      },
      put: async (entry: string, value: V, options?: WriteOptions) =>
        await putText(entry, jsonOf(value), options),
      delete: async (entry: string, options?: WriteOptions) =>
        await write<Receipt>({ method: 'DELETE', path: path(entry), absolute: true }, options),
      async getMany(keys: readonly string[], options?: CallOptions) {
        const request = { method: 'POST', path: `${base}/read`, headers: JSON_TYPE, effect: 'read' } as const;
        const answer = await call({ ...request, body: jsonOf({ keys }) }, options);
        const { entries: listed } = answer.json as { entries: (Entry<V> & { key: string })[] };
        return new Map(listed.map(({ key: name, value, version }) => [name, { value, version }]));
      },
      async list({ after, limit, prefix, ...options }: Parameters<Entries<V, Receipt>['list']>[0] = {}) {
        const query = Object.entries({ after, limit, prefix })
          .filter(([, value]) => value !== undefined)
          .map(([name, value]) => `${name}=${encoded(String(value))}`);
        const search = query.length === 0 ? '' : `?${query.join('&')}`;
        const answer = await call(
          { method: 'GET', path: `${base}/entries${search}`, effect: 'read' },
          options,
        );
        return answer.json as Listing<V>;
      },
    };
  }

  return {
    documents<V>(collection: string): Documents<V> {
      const { path, ...common } = entries<V>(collection);
      return {
        ...common,
        patch: async (entry, patch, options) =>
          await write(
            {
              method: 'PATCH',
              path: path(entry),
              headers: PATCH_TYPE,
              body: jsonOf(patch),
              absolute: false,
            },
            options,
          ),
      };
    },
    counters(collection) {
      const { path, putText: _, ...common } = entries<number>(collection);
      return {
        ...common,
        increment: async (entry, by = 1, options = {}) =>
          await write<CounterReceipt>(
            {
              method: 'POST',
              path: `${path(entry)}/increment`,
              headers: JSON_TYPE,
              body: jsonOf({ by }),
              absolute: false,
            },
            options,
          ),
      };
    },
    async batch(operations, { atomic, ...options } = {}) {
      const answer = await call(
        {
          method: 'POST',
          path: '/v1/batch',
          headers: { ...JSON_TYPE, ...writeHeaders(options) },
          body: jsonOf({ operations, atomic }),
          effect: options.idempotencyKey === undefined ? 'once' : 'repeatable',
        },
        options,
      );
      return (answer.json as { results: BatchResult[] }).results;
    },
  };
}

const JSON_TYPE = { 'content-type': 'application/json' };
const PATCH_TYPE = { 'content-type': 'application/merge-patch+json' };

function writeHeaders({
  durability,
  ifMatch,
  ifAbsent,
  idempotencyKey,
}: WriteOptions): Record<string, string> {
  return {
    ...(durability === undefined ? {} : { prefer: `durability=${durability satisfies Durability}` }),
    ...(ifMatch === undefined ? {} : { 'if-match': entityTag(ifMatch) }),
    ...(ifAbsent === true ? { 'if-none-match': '*' } : {}),
    ...(idempotencyKey === undefined
      ? {}
      : { 'idempotency-key': idempotencyKey === true ? crypto.randomUUID() : idempotencyKey }),
  };
}

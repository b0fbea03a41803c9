import { hash, randomBytes } from 'node:crypto';
import { z } from 'zod';

/** What a key may do in a collection. */
export type CollectionAccess = 'read' | 'write';

/**
 * What else a key may do. `ops`: operate. `codec`: decode and encode payloads of Temporal, so that all that waits there can be
 * read with it. `metrics`: the figures at `/metrics` and nothing else; `ops` includes it.
 */
export type Capability = (typeof CAPABILITIES)[number];
const CAPABILITIES = ['ops', 'codec', 'metrics'] as const;

/** Names of collections, or `*` for all of them, also those that are not configured. */
export interface Scopes
  extends Readonly<Record<CollectionAccess, ReadonlySet<string>>>,
    Readonly<Record<Capability, boolean>> {}

export interface RateLimit {
  /** Requests a second, lastingly. */
  readonly perSecond: number;
  /** Requests at once, after a pause. */
  readonly burst: number;
}

/** One API key as the configuration file has it: the key itself is known only to whoever uses it. */
export interface ApiKey {
  readonly name: string;
  /** SHA-256 of the key, in lower-case hex digits. */
  readonly digest: string;
  readonly scopes: Scopes;
  /** `undefined`: what `RATE_PER_SECOND` says. */
  readonly rate: RateLimit | undefined;
}

const KEY_NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/;
const SCOPE = /^(read|write):(\*|[a-z0-9][a-z0-9_-]{0,63})$/;
const SCOPE_FORM =
  'must be "read:" or "write:" with the name of a collection or "*" ("read:carts", "write:*"), or "ops", "codec" or "metrics"';

function wholeNumber(max: number) {
  const error = `must be a whole number from 1 to ${max}`;
  return z.int(error).min(1, error).max(max, error);
}

/** `{"perSecond": 100}`: without `burst`, twice as many at once. */
const rate = z
  .strictObject({
    perSecond: wholeNumber(1_000_000),
    burst: wholeNumber(10_000_000).optional(),
  })
  .transform(({ perSecond, burst }) => ({ perSecond, burst: burst ?? 2 * perSecond }));

const scope = z
  .string()
  .refine((text) => CAPABILITIES.some((name) => name === text) || SCOPE.test(text), { error: SCOPE_FORM });

const key = z.strictObject({
  name: z.string().regex(KEY_NAME, 'must be 1 to 64 of a-z, 0-9, "-" and "_"'),
  digest: z
    .string()
    .regex(
      /^sha256:[0-9a-f]{64}$/,
      'must be "sha256:" and 64 hex digits, as "npm run keys" prints it; never the key itself',
    ),
  scopes: z.array(scope).min(1, 'must not be empty'),
  rate: rate.optional(),
});

/** `keys` of the configuration file. An empty list would open what was closed before: take `keys` away to mean that. */
export const keysSchema = z.array(key).min(1, 'must not be empty: without keys, leave "keys" out');

export type ConfiguredKey = z.input<typeof key>;

/** One thing that is wrong with a list of keys, and where. */
interface KeyProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** What no key shows by itself: a name or digest twice, and scopes of collections that are not configured. */
export function problemsBetween(
  keys: readonly Pick<ConfiguredKey, 'name' | 'digest' | 'scopes'>[],
  collections: readonly string[],
): KeyProblem[] {
  return keys.flatMap(({ scopes }, i) => [
    ...(['name', 'digest'] as const)
      .filter((field) => keys.slice(0, i).some((earlier) => earlier[field] === keys[i]?.[field]))
      .map((field) => ({ path: [i, field], message: `is the ${field} of another key, too` })),
    ...scopes.flatMap((text, j) => {
      const name = SCOPE.exec(text)?.[2] ?? '*';
      if (name === '*' || collections.includes(name)) return [];
      return [{ path: [i, 'scopes', j], message: `there is no collection "${name}"` }];
    }),
  ]);
}

/** The keys as they are used. */
export function toApiKeys(parsed: z.output<typeof keysSchema>): readonly ApiKey[] {
  return parsed.map(({ name, digest, scopes, rate }) =>
    Object.freeze({ name, digest: digest.slice('sha256:'.length), scopes: toScopes(scopes), rate }),
  );
}

function toScopes(texts: readonly string[]): Scopes {
  const named = (access: CollectionAccess) =>
    new Set(texts.map((text) => SCOPE.exec(text)).flatMap((m) => (m?.[1] === access ? [m[2] ?? ''] : [])));
  return {
    read: named('read'),
    write: named('write'),
    ops: texts.includes('ops'),
    codec: texts.includes('codec'),
    metrics: texts.includes('ops') || texts.includes('metrics'),
  };
}

/** A new key: 256 random bits, in a form that people and secret scanners recognise and a double click selects whole. */
export function newApiKey(): string {
  return `hf_${randomBytes(32).toString('hex')}`;
}

/**
 * SHA-256 in lower-case hex digits: what stands for a key wherever one is kept. A slow hash as for passwords would add
 * nothing: nobody guesses 256 random bits.
 */
export function digestOf(key: string): string {
  return hash('sha256', key, 'hex');
}

/** The limit of each key by its name; keys without one are left out. */
export function rateLimitsOf(
  keys: readonly Pick<ApiKey, 'name' | 'rate'>[],
  { RATE_PER_SECOND: perSecond }: { readonly RATE_PER_SECOND: number },
): ReadonlyMap<string, RateLimit> {
  const fallback = perSecond === 0 ? undefined : { perSecond, burst: 2 * perSecond };
  return new Map(
    keys.flatMap(({ name, rate = fallback }) => (rate === undefined ? [] : [[name, rate] as const])),
  );
}

import { type ApiKey, digestOf, keysSchema, newApiKey, toApiKeys } from '../../config/keys.ts';

export interface TestKey {
  readonly token: string;
  /** Its entry in the configuration file. */
  readonly entry: {
    name: string;
    digest: string;
    scopes: string[];
    rate?: { perSecond: number; burst: number };
  };
  readonly key: ApiKey;
  readonly headers: { readonly authorization: string };
}

/** A key as `npm run keys` makes one. */
export function testKey(
  name: string,
  scopes: string[],
  rate?: { perSecond: number; burst: number },
): TestKey {
  const token = newApiKey();
  const entry = {
    name,
    digest: `sha256:${digestOf(token)}`,
    scopes,
    ...(rate === undefined ? {} : { rate }),
  };
  const [key] = toApiKeys(keysSchema.parse([entry]));
  return { token, entry, key: key!, headers: { authorization: `Bearer ${token}` } };
}

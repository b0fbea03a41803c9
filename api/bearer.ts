import { type ApiKey, digestOf } from '../config/keys.ts';

/** The name of the scheme has no case (RFC 9110); what a key looks like is known, so nothing else is hashed. */
const BEARER = /^bearer +(hf_[0-9a-f]{64})$/i;

/** A client always writes its header the same way. */
const HEADERS_PER_KEY = 4;

/**
 * Finds the key that an `Authorization` header holds.
 *
 * By the digest of what was sent, in a map: how long that takes may depend on how much of the *digest* agrees with one of
 * ours, and whoever sends a guess cannot choose its digest, so nothing is learnt by measuring it. A comparison in constant
 * time with each key would protect nothing more.
 *
 * Headers that were found good are remembered, since hashing took a tenth of a GET. The look into them tells as little: V8
 * compares texts only where their seeded hashes agree. What is wrong is never remembered, so nobody can fill the memory.
 */
export function createKeyring(keys: readonly ApiKey[]): (header: string | undefined) => ApiKey | undefined {
  const byDigest = new Map(keys.map((key) => [key.digest, key]));
  const good = new Map<string, ApiKey>();
  return (header) => {
    if (header === undefined) return undefined;
    const known = good.get(header);
    if (known !== undefined) return known;
    const sent = BEARER.exec(header)?.[1];
    const key = sent === undefined ? undefined : byDigest.get(digestOf(sent));
    if (key !== undefined) {
      if (good.size >= keys.length * HEADERS_PER_KEY) good.clear();
      good.set(header, key);
    }
    return key;
  };
}

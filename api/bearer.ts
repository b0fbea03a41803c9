import { type ApiKey, digestOf } from '../config/keys.ts';

/** The name of the scheme has no case (RFC 9110); what a key looks like is known, so nothing else is hashed. */
const BEARER = /^bearer +(hf_[0-9a-f]{64})$/i;

/**
 * Finds the key that an `Authorization` header holds.
 *
 * By the digest of what was sent, in a map: how long that takes may depend on how much of the *digest* agrees with one of
 * ours, and whoever sends a guess cannot choose its digest, so nothing is learnt by measuring it. A comparison in constant
 * time with each key would protect nothing more. SHA-256 takes 1 µs: too little to keep verified keys in memory for it.
 */
export function createKeyring(keys: readonly ApiKey[]): (header: string | undefined) => ApiKey | undefined {
  const byDigest = new Map(keys.map((key) => [key.digest, key]));
  return (header) => {
    const sent = header === undefined ? undefined : BEARER.exec(header)?.[1];
    return sent === undefined ? undefined : byDigest.get(digestOf(sent));
  };
}

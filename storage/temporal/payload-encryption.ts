import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { PayloadKey } from '../../config/payload-keys.ts';
import { UnreadableBatch } from './errors.ts';

/** The encoding, and the field beside it, of Temporal's own samples of encryption. */
export const ENCRYPTED = 'binary/encrypted';
export const KEY_ID = 'encryption-key-id';

const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** Whose batch it is cannot be told before it is decrypted. */
const UNLESS_FOREIGN =
  ', unless another Holdfast installation, which shares the Temporal namespace, encrypted it: then give each a namespace of its own';

/** A random initialisation vector, the ciphertext, and the tag that tells whether somebody changed them. */
export function encrypt(plain: Uint8Array, { key }: PayloadKey): Uint8Array {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES });
  return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/**
 * @throws UnreadableBatch where no key of that name is known, or it is another key. Temporal tries again what ends like that,
 * so it is enough to mend the settings.
 */
export function decrypt(
  sealed: Uint8Array,
  keyId: string,
  known: ReadonlyMap<string, PayloadKey>,
): Uint8Array {
  const named = known.get(keyId);
  const name = /^[\w.-]{1,64}$/.test(keyId) ? `"${keyId}"` : 'of a strange name';
  if (named === undefined) {
    throw new UnreadableBatch(
      `a payload is encrypted with the key ${name}, which this process does not have`,
      `add that key to PAYLOAD_ENCRYPTION_KEYS of this process${UNLESS_FOREIGN}`,
    );
  }
  try {
    const iv = sealed.subarray(0, IV_BYTES);
    const decipher = createDecipheriv(CIPHER, named.key, iv, { authTagLength: TAG_BYTES });
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(sealed.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch {
    throw new UnreadableBatch(
      `a payload that names the key ${name} cannot be decrypted with it`,
      `give that name to the key it was encrypted with, in PAYLOAD_ENCRYPTION_KEYS of this process${UNLESS_FOREIGN}`,
    );
  }
}

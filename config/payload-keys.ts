import { z } from 'zod';

/** A key that payloads in Temporal are encrypted with: AES-256-GCM. */
export interface PayloadKey {
  /** Travels with every payload, in the clear. */
  readonly id: string;
  readonly key: Uint8Array;
}

const KEY_ID = /^[A-Za-z0-9._-]{1,64}$/;
const KEY_BYTES = 32;
const FORM =
  'must be pairs such as 2026-11:BASE64, separated by commas: a name of A-Z, a-z, 0-9, ".", "_" or "-", and 32 random bytes in Base64 ("openssl rand -base64 32")';

/** A problem never repeats what was given: it is secret. */
export const payloadKeys = z
  .string()
  .default('')
  .transform((text, ctx): readonly PayloadKey[] => {
    const pairs = text
      .split(',')
      .map((pair) => pair.trim())
      .filter((pair) => pair !== '');
    const keys = pairs.map(toKey);
    const good = keys.filter((key) => key !== undefined);
    if (good.length < keys.length) ctx.addIssue({ code: 'custom', message: FORM });
    if (new Set(good.map(({ id }) => id)).size < good.length) {
      ctx.addIssue({ code: 'custom', message: 'names two keys alike' });
    }
    return good;
  });

function toKey(pair: string): PayloadKey | undefined {
  const [id = '', base64 = ''] = pair.split(/:(.*)/s);
  const key = Buffer.from(base64, 'base64');
  // Buffer.from skips what is no Base64.
  const exact =
    key.length === KEY_BYTES && key.toString('base64').replace(/=+$/, '') === base64.replace(/=+$/, '');
  return KEY_ID.test(id) && exact ? { id, key } : undefined;
}

import type { Version } from './version.ts';

/**
 * What a write with an Idempotency-Key is known by. Digests: what a client sends as a key may be a secret, and both must
 * be short, since they travel with the mutation.
 */
export interface IdempotencyKey {
  /** Of the entry and the key, in base64url: the same key for another entry is another one. */
  readonly key: string;
  /** Of everything else that decides what the write does: operation, condition, body. */
  readonly fingerprint: string;
}

/** What is remembered of a write that happened, so that its repetition is answered and not executed. */
export interface IdempotencyRecord extends IdempotencyKey {
  readonly version: Version;
  /** The value of a counter after an increment, as text; empty for every other write. */
  readonly value: string;
}

/** Digests in base64url. */
const RECORD = /^([\w-]{1,64}),([\w-]{1,64}),(\d{1,16}),(-?\d{0,16})$/;

/** `key,fingerprint,version,value;…`: the records of a mutation as they travel with it. The Lua scripts write the same form. */
export function encodeRecords(records: readonly IdempotencyRecord[]): string {
  return records
    .map(({ key, fingerprint, version, value }) => `${key},${fingerprint},${version},${value}`)
    .join(';');
}

/**
 * Reads what {@link encodeRecords} or a Lua script wrote; `undefined` stands for none.
 * @throws TypeError where the text has another form.
 */
export function decodeRecords(text: string | undefined): IdempotencyRecord[] {
  if (text === undefined || text === '') return [];
  return text.split(';').map((one) => {
    const match = RECORD.exec(one);
    if (match === null) throw new TypeError('not an idempotency record');
    const [, key = '', fingerprint = '', version, value = ''] = match;
    return { key, fingerprint, version: Number(version), value };
  });
}

/** What an entry holds: any JSON value, or an integer that can be incremented. */
export type EntryKind = 'document' | 'counter';

/** Names one entry. `key` is any text of 1–512 bytes of UTF-8 without control characters. */
export interface EntryRef {
  readonly collection: string;
  readonly key: string;
}

/** The longest key, in bytes of UTF-8. */
export const MAX_KEY_BYTES = 512;

/** Collection names are short, lower-case and never contain `/`, so that an entry id has one reading. */
export const COLLECTION_NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/** `collection/key`: the name of the entry in Redis, in batches and in the partition hash. */
export function entryId(ref: EntryRef): string {
  return `${ref.collection}/${ref.key}`;
}

/** The inverse of {@link entryId}: a collection name contains no `/`, a key may. */
export function parseEntryId(id: string): EntryRef {
  const slash = id.indexOf('/');
  if (slash < 1) throw new TypeError(`not an entry id: ${JSON.stringify(id)}`);
  return { collection: id.slice(0, slash), key: id.slice(slash + 1) };
}

/**
 * Why `key` cannot be a key, or `undefined` if it can. Lone surrogates are refused because they have no UTF-8 form: two
 * such keys would become one key on the wire.
 */
export function keyProblem(key: string): string | undefined {
  if (key === '') return 'a key must not be empty';
  if (key === '.' || key === '..') return `a key must not be "${key}": URL parsers drop it`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
  if (/[\u0000-\u001f\u007f-\u009f]/.test(key)) return 'a key must not contain control characters';
  if (!key.isWellFormed()) return 'a key must be well-formed Unicode';
  if (key.length > MAX_KEY_BYTES || Buffer.byteLength(key) > MAX_KEY_BYTES) {
    return `a key must not be longer than ${MAX_KEY_BYTES} bytes of UTF-8`;
  }
  return undefined;
}

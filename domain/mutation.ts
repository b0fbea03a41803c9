import { type EntryKind, type EntryRef, entryId, parseEntryId } from './entry.ts';
import { parseVersion, type Version } from './version.ts';

/**
 * "Entry E is V at version N", or "is deleted at version N". Always absolute: an increment is executed in Redis and leaves
 * its result. `value` is text that nobody rounds or reorders on the way: the JSON text of a document as the client sent
 * it, or the decimal digits of a counter; `null` means deleted.
 */
export interface Mutation extends EntryRef {
  readonly kind: EntryKind;
  readonly version: Version;
  readonly value: string | null;
  /**
   * The idempotency records of the writes whose effect is in this value and that may be nowhere else yet: its own, and
   * those of all unconfirmed batches of its entry. As `encodeRecords` writes them; left out where there are none.
   */
  readonly records?: string;
}

/** One version of one entry: what is left of a mutation where its value does not matter. */
export interface EntryVersion extends EntryRef {
  readonly version: Version;
}

/** Names one version of one entry, for sets and maps. */
export function versionName(write: EntryVersion): string {
  return `${write.version} ${entryId(write)}`;
}

/** The state of an entry in one place (the cache, a batch, a row). Version 0 with a null value: never written. */
export interface EntryState {
  readonly version: Version;
  readonly value: string | null;
}

/** The state of an entry that nobody ever wrote. */
export const NEVER_WRITTEN: EntryState = Object.freeze({ version: 0, value: null });

const TAGS = { document: 'd', counter: 'c' } as const;

/** How Redis keeps kind and deletion: `d` document, `c` counter; upper case where the entry is deleted. */
export function mutationTag(kind: EntryKind, deleted: boolean): string {
  return deleted ? TAGS[kind].toUpperCase() : TAGS[kind];
}

/**
 * `version tag value`, or `version tag+records value`: a mutation as the field value of a batch in Redis. The Lua scripts
 * write the same form.
 */
export function encodeMutation({ kind, version, value, records }: Mutation): string {
  const more = records === undefined ? '' : `+${records}`;
  return `${version} ${mutationTag(kind, value === null)}${more} ${value ?? ''}`;
}

/**
 * Reads what {@link encodeMutation} or a Lua script wrote.
 * @throws TypeError where the text has another form: data of another program, or of a newer format.
 */
export function decodeMutation(id: string, encoded: string): Mutation {
  const first = encoded.indexOf(' ');
  const version = parseVersion(encoded.slice(0, first));
  const tag = encoded[first + 1];
  const keyed = encoded[first + 2] === '+';
  const valueAt = keyed ? encoded.indexOf(' ', first + 3) + 1 : first + 3;
  const known = tag === 'd' || tag === 'c' || tag === 'D' || tag === 'C';
  if (version === undefined || !known || valueAt <= first + 2 || encoded[valueAt - 1] !== ' ') {
    throw new TypeError(`not a mutation: ${encoded.slice(0, 24)}…`);
  }
  const { collection, key } = parseEntryId(id);
  const kind = tag === 'd' || tag === 'D' ? 'document' : 'counter';
  const value = tag === 'd' || tag === 'c' ? encoded.slice(valueAt) : null;
  const mutation: Mutation = { collection, key, kind, version, value };
  return keyed ? { ...mutation, records: encoded.slice(first + 3, valueAt - 1) } : mutation;
}

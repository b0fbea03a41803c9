import type { Collection } from '../domain/collection.ts';
import { HoldfastError } from '../domain/errors.ts';
import { compactWithin, fitsWrittenOut } from '../domain/json-compact.ts';
import { inspectJson } from '../domain/json-text.ts';
import { mergePatch } from '../domain/merge-patch.ts';
import type { Version } from '../domain/version.ts';
import type { Context } from './context.ts';
import { pause } from './deadline.ts';
import type { WriteOptions } from './holdfast.ts';
import type { Reader } from './read.ts';
import type { Receipt } from './receipt.ts';
import { preconditionFailed, redisNeeded } from './trouble.ts';

/** Each round somebody else wins; how long at most to keep out of their way before the next one, in ms. */
const SHORTEST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 100;

/** A value and the version it has, or is to replace. */
interface Current {
  readonly version: Version;
  readonly value: string;
}

/** Below every version that is ever given out. */
const NO_VERSION: Version = 1;

/** What may be found instead of an entry that the patch can be merged with. */
const AGAINST_A_PATCH: ReadonlySet<string> = new Set([
  'precondition-failed',
  'entry-not-found',
  'value-too-large',
  'invalid-request',
]);

/** Writes a document if it still has the version that is named in the condition. */
type ConditionalWrite = (
  collection: Collection,
  key: string,
  value: string,
  options: WriteOptions,
) => Promise<Receipt>;

/**
 * Reads the entry, merges, and writes on the condition that nobody wrote in between; else once more, until the deadline. A
 * condition of the client's own is tried once.
 */
export function createPatch(
  ctx: Context,
  { reader, write }: { readonly reader: Reader; readonly write: ConditionalWrite },
) {
  const { MAX_VALUE_BYTES } = ctx.environment;

  /** The value to merge with and its version. */
  async function current(
    collection: Collection,
    key: string,
    { deadlineAt, condition }: WriteOptions,
  ): Promise<Current> {
    const found = await reader.read(collection, key, { deadlineAt });
    // Without Redis a write that is only cached is not seen: neither its value nor that the entry exists.
    if (found.degraded === true && collection.mode === 'write-behind') throw redisNeeded();
    const { version, value } = found.state;
    if (value === null) {
      throw new HoldfastError('entry-not-found', 'There is no entry with this key in the collection.');
    }
    if (condition !== undefined && 'ifVersion' in condition && condition.ifVersion !== version) {
      throw preconditionFailed(version);
    }
    return { version, value };
  }

  /** The same is accepted and refused whether `value` is the text that was sent or the row's: its size is that of its compact form. */
  function merged(value: string, patch: string): string {
    const result = mergePatch(value, patch);
    const found = inspectJson(result);
    if (typeof found !== 'number') {
      throw new HoldfastError(
        'invalid-request',
        `With this patch the value could not be stored: ${found.message}. Nothing was written.`,
        { errors: [{ path: found.path, message: found.message }] },
      );
    }
    if (fitsWrittenOut(result, found, MAX_VALUE_BYTES)) return result;
    // Where only spaces and spelling are too much, they go: else each patch could bring some more of them.
    const compact = compactWithin(result, MAX_VALUE_BYTES);
    if (compact !== undefined) return compact;
    throw new HoldfastError(
      'value-too-large',
      `With this patch the value would be larger than the ${MAX_VALUE_BYTES} bytes allowed here: numbers are stored written out, 1e308 with 309 digits. Nothing was written.`,
    );
  }

  /**
   * What stands against a patch (another version, no entry any more, a value that would be too large with it) may be what came
   * after the same patch, whose answer was lost. A write under a condition that never holds finds the record of its
   * Idempotency-Key, if there is one, and else does nothing.
   */
  async function unlessRepeated(
    error: unknown,
    collection: Collection,
    key: string,
    patch: string,
    options: WriteOptions,
  ): Promise<Receipt> {
    const stands = error instanceof HoldfastError && AGAINST_A_PATCH.has(error.code);
    if (!stands || options.idempotency === undefined) throw error;
    try {
      return await write(collection, key, patch, { ...options, condition: { ifVersion: NO_VERSION } });
    } catch (failure) {
      const never = failure instanceof HoldfastError && failure.code === 'precondition-failed';
      throw never ? error : failure;
    }
  }

  return async (
    collection: Collection,
    key: string,
    patch: string,
    options: WriteOptions,
  ): Promise<Receipt> => {
    for (let tries = 1; ; tries++) {
      let next: Current;
      try {
        const { version, value } = await current(collection, key, options);
        next = { version, value: merged(value, patch) };
      } catch (error) {
        return await unlessRepeated(error, collection, key, patch, options);
      }
      try {
        const condition = { ifVersion: next.version };
        return await write(collection, key, next.value, { ...options, condition });
      } catch (error) {
        const lost = error instanceof HoldfastError && error.code === 'precondition-failed';
        if (!lost || options.condition !== undefined) throw error;
        const longest = Math.min(SHORTEST_PAUSE_MS * 2 ** Math.min(tries, 10), LONGEST_PAUSE_MS);
        await pause(Math.random() * longest, options.deadlineAt);
      }
    }
  };
}

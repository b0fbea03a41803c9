import type { Collection } from '../domain/collection.ts';
import { HoldfastError } from '../domain/errors.ts';
import { checkJson } from '../domain/json-text.ts';
import { mergePatch } from '../domain/merge-patch.ts';
import type { Version } from '../domain/version.ts';
import type { Context } from './context.ts';
import { pause } from './deadline.ts';
import type { Receipt, WriteOptions } from './holdfast.ts';
import type { Reader } from './read.ts';
import { preconditionFailed, redisNeeded } from './trouble.ts';

/** Each round somebody else wins; how long at most to keep out of their way before the next one, in ms. */
const SHORTEST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 100;

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
  ): Promise<{ readonly version: Version; readonly value: string }> {
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

  function merged(value: string, patch: string): string {
    const result = mergePatch(value, patch);
    if (result.length > MAX_VALUE_BYTES || Buffer.byteLength(result) > MAX_VALUE_BYTES) {
      throw new HoldfastError(
        'value-too-large',
        `With this patch the value would be larger than the ${MAX_VALUE_BYTES} bytes allowed here. Nothing was written.`,
      );
    }
    const problem = checkJson(result);
    if (problem === undefined) return result;
    throw new HoldfastError(
      'invalid-request',
      `With this patch the value could not be stored: ${problem.message}. Nothing was written.`,
      { errors: [{ path: problem.path, message: problem.message }] },
    );
  }

  return async (
    collection: Collection,
    key: string,
    patch: string,
    options: WriteOptions,
  ): Promise<Receipt> => {
    for (let tries = 1; ; tries++) {
      const { version, value } = await current(collection, key, options);
      try {
        const condition = { ifVersion: version };
        return await write(collection, key, merged(value, patch), { ...options, condition });
      } catch (error) {
        const lost = error instanceof HoldfastError && error.code === 'precondition-failed';
        if (!lost || options.condition !== undefined) throw error;
        const longest = Math.min(SHORTEST_PAUSE_MS * 2 ** Math.min(tries, 10), LONGEST_PAUSE_MS);
        await pause(Math.random() * longest, options.deadlineAt);
      }
    }
  };
}

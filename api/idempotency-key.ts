import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { type EntryRef, entryId } from '../domain/entry.ts';
import { HoldfastError } from '../domain/errors.ts';
import type { BatchOperation } from '../service/batch-operation.ts';
import type { WriteOptions } from '../service/holdfast.ts';

const MAX_LENGTH = 255;
/** Visible ASCII; a header that was sent twice has a space after its comma. */
const KEY = /^[\x21-\x7e]+$/;

/** In characters of base64url: 132 bits. */
const DIGEST_LENGTH = 22;

/**
 * The options of a write with its `Idempotency-Key`, which may have the quotes of the IETF draft or not; without one, the
 * options as they are. `operation` and `body` say what the write does: a repetition must do the same.
 * @throws HoldfastError invalid-request where it can be no key.
 */
export function withIdempotencyKey(
  options: WriteOptions,
  headers: IncomingHttpHeaders,
  entry: EntryRef,
  operation: string,
  body: string,
): WriteOptions {
  const key = keyOf(headers);
  if (key === undefined) return options;
  const condition = `${headers['if-match'] ?? ''}\n${headers['if-none-match'] ?? ''}`;
  const idempotency = {
    key: digest(`${entryId(entry)}\n${key}`),
    fingerprint: digest(`${operation}\n${condition}\n${body}`),
  };
  return { ...options, idempotency };
}

/**
 * The operations of a batch, each with a record of its own: of the key, the entry and its place, since a batch may write an
 * entry twice.
 * @throws as {@link withIdempotencyKey}.
 */
export function withIdempotencyKeys(
  operations: readonly BatchOperation[],
  headers: IncomingHttpHeaders,
): readonly BatchOperation[] {
  const key = keyOf(headers);
  if (key === undefined) return operations;
  return operations.map((one, index) => {
    const id = entryId({ collection: one.collection.name, key: one.key });
    const idempotency = {
      key: digest(`${id}\n${key}\n${index}`),
      fingerprint: digest(JSON.stringify([one.op, one.condition ?? null, contentOf(one)])),
    };
    return { ...one, idempotency };
  });
}

function contentOf(operation: BatchOperation): string | number {
  if (operation.op === 'delete') return '';
  return operation.op === 'put' ? operation.value : operation.by;
}

function keyOf(headers: IncomingHttpHeaders): string | undefined {
  const header = headers['idempotency-key'];
  if (header === undefined) return undefined;
  const given = String(header);
  const key = /^"(.*)"$/.exec(given)?.[1] ?? given;
  if (key.length <= MAX_LENGTH && KEY.test(key)) return key;
  throw new HoldfastError(
    'invalid-request',
    `Idempotency-Key must be one key of 1–${MAX_LENGTH} visible ASCII characters without spaces, a UUID for instance.`,
  );
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, DIGEST_LENGTH);
}

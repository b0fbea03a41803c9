import type { IncomingHttpHeaders } from 'node:http';
import { HoldfastError } from '../domain/errors.ts';
import type { WriteOptions } from '../service/holdfast.ts';
import { writeCondition } from './preconditions.ts';
import { preferredDurability } from './prefer.ts';

/**
 * What the headers of a write ask for.
 * @throws HoldfastError invalid-request.
 */
export function writeOptions(headers: IncomingHttpHeaders, deadlineAt: number): WriteOptions {
  if (headers['idempotency-key'] !== undefined) {
    // Ignoring it would count an increment twice for a client that relies on it when it repeats a request.
    throw new HoldfastError(
      'invalid-request',
      'Idempotency-Key is not supported yet: send the write without it.',
    );
  }
  return { deadlineAt, durability: preferredDurability(headers.prefer), condition: writeCondition(headers) };
}

import type { IncomingHttpHeaders } from 'node:http';
import type { WriteOptions } from '../service/holdfast.ts';
import { writeCondition } from './preconditions.ts';
import { preferredDurability } from './prefer.ts';

/**
 * What the headers of a write ask for.
 * @throws HoldfastError invalid-request.
 */
export function writeOptions(headers: IncomingHttpHeaders, deadlineAt: number): WriteOptions {
  return { deadlineAt, durability: preferredDurability(headers.prefer), condition: writeCondition(headers) };
}

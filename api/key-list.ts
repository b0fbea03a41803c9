import { HoldfastError } from '../domain/errors.ts';
import type { ApiContext } from './api-env.ts';
import { readBody } from './json-body.ts';
import { requireNoQuery } from './path.ts';
import { keyList } from './schemas/read-many.ts';

/** A key of the most bytes, each escaped, and what stands around it. */
const BYTES_OF_A_KEY = 6 * 512 + 4;

/**
 * The keys that a body lists, as they stand there.
 * @throws HoldfastError invalid-request, also where there is a query; and as {@link readBody}.
 */
export async function readKeys(
  c: ApiContext,
  { maxKeys, deadlineAt }: { readonly maxKeys: number; readonly deadlineAt: number },
): Promise<readonly string[]> {
  requireNoQuery(c);
  const { keys } = await readBody(c, keyList, { maxBytes: 1_024 + maxKeys * BYTES_OF_A_KEY, deadlineAt });
  if (keys.length <= maxKeys) return keys;
  throw new HoldfastError('invalid-request', 'The body is not what this path takes.', {
    errors: [{ path: '/keys', message: `must not be more than ${maxKeys}` }],
  });
}

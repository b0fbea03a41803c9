import { HoldfastError } from '../domain/errors.ts';
import type { ApiContext } from './api-env.ts';

/** @throws HoldfastError dead-letter-not-found for what can be no id. */
export function deadLetterId(c: ApiContext): number {
  const id = Number(/^[1-9]\d{0,15}$/.exec(c.req.param('id') ?? '')?.[0]);
  if (Number.isSafeInteger(id)) return id;
  throw new HoldfastError('dead-letter-not-found', 'The id of a dead letter is a whole number above 0.');
}

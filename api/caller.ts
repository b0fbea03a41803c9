import type { ApiKey, CollectionAccess } from '../config/keys.ts';

/** Who sent a request, as far as that decides what it may do. */
export type Caller = Pick<ApiKey, 'name' | 'scopes'>;

/** Everybody, where no key is configured. */
export const ANYBODY: Caller = {
  name: 'anonymous',
  scopes: { read: new Set(['*']), write: new Set(['*']), ops: true, codec: true, metrics: true },
};

/** Whether the caller may read or write a collection, configured or not. */
export function mayUse({ scopes }: Caller, access: CollectionAccess, collection: string): boolean {
  const named = scopes[access];
  return named.has('*') || named.has(collection);
}

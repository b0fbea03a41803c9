import type { Collections } from '../config/collections.ts';
import type { Collection } from '../domain/collection.ts';
import { HoldfastError } from '../domain/errors.ts';

/** @throws HoldfastError collection-not-found. */
export function collectionNamed(collections: Collections, name: string): Collection {
  const collection = collections.get(name);
  if (collection !== undefined) return collection;
  throw new HoldfastError(
    'collection-not-found',
    'No collection of this name is configured; GET /v1/collections lists those that are.',
  );
}

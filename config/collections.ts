import { z } from 'zod';
import type { Collection } from '../domain/collection.ts';
import { COLLECTION_NAME } from '../domain/entry.ts';

const collection = z
  .strictObject({
    mode: z.enum(['write-through', 'write-behind']),
    kind: z.enum(['document', 'counter']).default('document'),
    acknowledge: z.enum(['cached', 'queued', 'persisted']).optional(),
    reads: z.enum(['latest', 'durable']).default('latest'),
    cacheTtlSeconds: z
      .int()
      .min(1)
      .max(30 * 24 * 3600)
      .default(3600),
  })
  .refine((c) => c.mode === 'write-behind' || (c.acknowledge ?? 'persisted') === 'persisted', {
    error: 'write-through always answers at "persisted"',
    path: ['acknowledge'],
  });

/** `collections` of the configuration file. */
export const collectionsSchema = z.record(z.string().regex(COLLECTION_NAME), collection);

export type Collections = ReadonlyMap<string, Collection>;

/** The collections as they are used, by name, in the order of the file. */
export function toCollections(parsed: z.infer<typeof collectionsSchema>): Collections {
  return new Map(
    Object.entries(parsed).map(([name, c]) => [
      name,
      Object.freeze({
        name,
        mode: c.mode,
        kind: c.kind,
        acknowledge: c.acknowledge ?? (c.mode === 'write-through' ? 'persisted' : 'queued'),
        reads: c.reads,
        cacheTtlSeconds: c.cacheTtlSeconds,
      }),
    ]),
  );
}

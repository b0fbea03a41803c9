import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { Collection } from '../domain/collection.ts';
import { COLLECTION_NAME } from '../domain/entry.ts';
import { SettingsError } from './problem.ts';

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

const file = z.strictObject({ collections: z.record(z.string().regex(COLLECTION_NAME), collection) });

export type Collections = ReadonlyMap<string, Collection>;

/**
 * Reads the collections file.
 * @throws SettingsError with every problem and where in the file it is.
 */
export function readCollections(path: string): Collections {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new SettingsError([`HOLDFAST_CONFIG: ${path}: ${(error as Error).message}`]);
  }
  const result = file.safeParse(json);
  if (!result.success) {
    throw new SettingsError(
      result.error.issues.map((i) => `HOLDFAST_CONFIG: ${path}: ${i.path.join('.') || 'file'}: ${i.message}`),
    );
  }
  return new Map(
    Object.entries(result.data.collections).map(([name, c]) => [
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

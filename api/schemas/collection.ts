import { z } from 'zod';
import type { Collection } from '../../domain/collection.ts';
import { acknowledgement, collectionName } from './entry.ts';

const collection = z
  .object({
    name: collectionName,
    mode: z.enum(['write-through', 'write-behind']).meta({
      description:
        '`write-through`: PostgreSQL first, then Redis. `write-behind`: Redis first, PostgreSQL through the queue.',
    }),
    kind: z.enum(['document', 'counter']),
    acknowledge: acknowledgement,
    reads: z.enum(['latest', 'durable']).meta({
      description:
        '`latest`: a read may see a write whose acknowledgement is still under way. `durable`: it waits until what it returns is at least `queued`.',
    }),
    cacheTtlSeconds: z
      .int()
      .min(1)
      .meta({ description: 'The life of a cached copy. Entries do not expire.' }),
  })
  .meta({
    id: 'Collection',
    description: 'A collection as it is configured.',
  }) satisfies z.ZodType<Collection>;

export const collectionList = z
  .object({ collections: z.array(collection) })
  .meta({ id: 'CollectionList', description: 'The configured collections, in the order of their file.' });

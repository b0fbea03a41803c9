import { z } from 'zod';

export const flushResult = z
  .object({
    persisted: z.boolean().meta({
      description: 'Everything accepted before the flush began is in PostgreSQL, or among the dead letters.',
    }),
    left: z
      .array(z.object({ partition: z.int().min(0), batches: z.int().min(1) }))
      .meta({ description: 'Where batches are left, when the time of the request was up.' }),
  })
  .meta({ id: 'FlushResult', description: 'Whether all is persisted, and what is not.' });

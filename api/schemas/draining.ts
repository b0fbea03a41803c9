import { z } from 'zod';

export const draining = z
  .object({
    draining: z.boolean(),
    by: z.string().nullable(),
    at: z.iso.datetime().nullable(),
  })
  .meta({
    id: 'Draining',
    description: 'Whether write-behind writes are refused, and who decided that, when.',
  });

import { z } from 'zod';
import type { PayloadJson } from '../../service/payloads.ts';

const MAX_PAYLOADS = 1_000;
/** Standard or URL-safe, with or without padding: Protocol Buffers takes all of them. */
const base64 = z.string().regex(/^[A-Za-z0-9+/_-]*={0,2}$/, 'must be Base64');

const payload = z
  .looseObject({
    metadata: z.record(z.string(), base64).optional(),
    data: base64.optional(),
  })
  .meta({
    id: 'Payload',
    description: 'A payload of Temporal: all bytes in Base64. What else it has is left out of the answer.',
  }) satisfies z.ZodType<PayloadJson>;

export const payloadsRequest = z
  .looseObject({ payloads: z.array(payload).max(MAX_PAYLOADS) })
  .meta({ id: 'PayloadsRequest', description: 'Payloads to encode or decode.' });

export const payloadsAnswer = z
  .object({
    payloads: z.array(
      z.object({ metadata: z.record(z.string(), z.string()).optional(), data: z.string().optional() }),
    ),
  })
  .meta({ id: 'Payloads', description: 'The payloads, in their order.' });

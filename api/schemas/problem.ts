import { z } from 'zod';
import { PROBLEMS, type ProblemCode } from '../problem.ts';
import { version } from './entry.ts';

/** Every code there is, in the order of their statuses. */
const PROBLEM_CODES = Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]];

/** `errors` points into the body. */
const errors = z.array(
  z.object({
    path: z.string().meta({ description: 'A JSON Pointer (RFC 6901) into the body.' }),
    message: z.string(),
  }),
);

export const problem = z
  .object({
    type: z.string().regex(/^urn:holdfast:problem:/),
    title: z.string().meta({ description: 'The same for every occurrence of a code.' }),
    status: z.int().min(400).max(599),
    detail: z.string().meta({ description: 'What happened, what it means for the data, what to do.' }),
    instance: z
      .string()
      .optional()
      .meta({ description: 'The path of the request.', format: 'uri-reference' }),
    code: z.enum(PROBLEM_CODES).meta({ description: 'Stable: what a program should look at.' }),
    requestId: z.string().meta({ description: 'That of the `X-Request-Id` header and of the log.' }),
    errors: errors.optional(),
    dependency: z
      .enum(['redis', 'temporal', 'postgres'])
      .optional()
      .meta({ description: 'What is out of reach.' }),
    currentVersion: z
      .union([version, z.literal(0)])
      .optional()
      .meta({
        description: 'Of `precondition-failed`: the version the entry has; 0 where there is no such entry.',
      }),
  })
  .meta({ id: 'Problem', description: 'Problem details (RFC 9457).' });

import { z } from 'zod';
import type { DependencyHealth } from '../../service/holdfast.ts';

const dependencyHealth = z
  .object({
    dependency: z.enum(['redis', 'temporal', 'postgres', 'workers', 'search-attributes']),
    ok: z.boolean(),
    problem: z.string().meta({ description: 'What is wrong, without secrets. Empty where all is well.' }),
    impact: z.string().meta({
      description: 'What still works without it and whatever else is down. Empty where all is well.',
    }),
    stopsAll: z.literal(true).exactOptional().meta({ description: 'Nothing works without it.' }),
  })
  .meta({
    id: 'DependencyHealth',
    description: 'How a part of the system is.',
  }) satisfies z.ZodType<DependencyHealth>;

/**
 * `ready`; `degraded`: something is down, and all that works without it goes on, so requests should keep coming;
 * `unavailable`: next to nothing works; `stopping`: the process is on its way down.
 */
export const readinessStatus = z.enum(['ready', 'degraded', 'unavailable', 'stopping']);

export const readiness = z
  .object({
    status: readinessStatus,
    draining: z.boolean().nullable().meta({
      description:
        'Whether an operator lets the queue empty: write-behind writes are refused. `null`: not known.',
    }),
    dependencies: z.array(dependencyHealth),
  })
  .meta({
    id: 'Readiness',
    description: 'Whether requests should come here, and how each part of the system is.',
  });

export const liveness = z
  .object({ status: z.literal('alive') })
  .meta({ id: 'Liveness', description: 'The process answers.' });

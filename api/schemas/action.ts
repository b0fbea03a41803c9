import { z } from 'zod';

const action = z
  .object({
    id: z.int().min(1),
    at: z.iso.datetime(),
    by: z.string().meta({ description: 'The name of the API key and the id of the request.' }),
    action: z.enum(['retry-batch', 'retry-dead-letter', 'correct-dead-letter', 'drain', 'resume']),
    subject: z.string().meta({ description: 'A workflow id or the id of a dead letter; empty for all.' }),
  })
  .meta({ id: 'OperatorAction', description: 'What an operator did.' });

export const actionList = z
  .object({
    actions: z.array(action),
    next: z.int().nullable().meta({ description: 'The `before` of the next page; `null` on the last one.' }),
  })
  .meta({ id: 'ActionList', description: 'A page of what operators did, newest first.' });

import { deciderOf } from '../access.ts';
import { readJsonText } from '../body.ts';
import { deadLetterId } from '../dead-letter-id.ts';
import { jsonResponse } from '../json-response.ts';
import { counterDigits, documentText, requireJsonText } from '../json-value.ts';
import type { Route } from '../route.ts';
import { correctedDeadLetter } from '../schemas/dead-letter.ts';
import { jsonValue } from '../schemas/json-value.ts';
import type { Shape } from '../schemas/shape.ts';
import { WRITE_PROBLEMS } from '../write-operation.ts';

/** `POST /ops/v1/dead-letters/{id}/correction`: writes another value in the place of the one that PostgreSQL refused. */
export const correctDeadLetter: Route = {
  method: 'post',
  path: '/ops/v1/dead-letters/:id/correction',
  effect: 'write',
  access: 'ops',
  operation: {
    id: 'correctDeadLetter',
    tag: 'Operations',
    summary: 'Write a corrected value for a dead letter',
    description:
      'The body is the value. It is a new write with a version of its own, on the condition that the entry was not written since; then the dead letter is given up for it. May be repeated: the same value is written once.',
    body: {
      type: 'application/json',
      required: true,
      schema: jsonValue,
      examples: { 'a cart': { items: ['tea', 'honey'] } },
    },
    answers: {
      200: { description: 'Persisted, and the dead letter is given up for it.', schema: correctedDeadLetter },
      202: {
        description:
          'Written; what `state` and `resolved` do not say yet, repeating the request brings about.',
        schema: correctedDeadLetter,
      },
    },
    problems: [...WRITE_PROBLEMS, 'dead-letter-not-found', 'dead-letter-discarded'],
  },
  handler:
    ({ holdfast, limits }) =>
    async (c, deadlineAt) => {
      const id = deadLetterId(c);
      const maxBytes = limits.MAX_VALUE_BYTES;
      const text = await readJsonText(c.env, { maxBytes, deadlineAt });
      const growth = requireJsonText(text);
      const { kind } = await holdfast.operations.showDeadLetter(id);
      const value = kind === 'counter' ? counterDigits(text) : documentText(text, growth, maxBytes);
      const by = deciderOf(c);
      const corrected = await holdfast.operations.correctDeadLetter(id, value, { by }, { deadlineAt });
      const { collection, key, version, state, resolved } = corrected;
      const answer: Shape<typeof correctedDeadLetter> = { collection, key, version, state, resolved };
      const done = state === 'persisted' && resolved;
      return jsonResponse(c, JSON.stringify(answer), done ? 200 : 202);
    },
};

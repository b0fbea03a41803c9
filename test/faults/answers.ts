import type { Call } from './history.ts';
import type { HttpAnswer } from './http-client.ts';
import { NOT_THERE, observe } from './outcome.ts';
import type { Plan } from './plan.ts';

type Sent = Pick<Call, 'client' | 'api' | 'start' | 'end'>;

/** What a plan and its answer say: one call, or one for each operation of a batch. */
export function callsOf(plan: Plan, sent: Sent, answer: HttpAnswer): readonly [Call, ...Call[]] {
  const others = plan.together ?? plan.beside;
  if (others === undefined) return [callOf(plan, sent, observe(plan.operation, answer))];
  const results = resultsOf(answer);
  const group = plan.together === undefined ? {} : { together: plan.token ?? '' };
  const one = (part: Plan, i: number): Call => ({
    ...callOf(part, sent, observe(part.operation, results?.[i] ?? answer)),
    ...group,
  });
  return [one(plan, 0), ...others.map((part, i) => one(part, i + 1))];
}

function callOf(plan: Plan, sent: Sent, observed: ReturnType<typeof observe>): Call {
  const { collection, key, token, bytes, by, condition, patches } = plan;
  // Who wanted to patch what is not there has read that, and no more.
  if (patches === true && observed.code === NOT_THERE) {
    return { ...sent, operation: 'read', collection, key, outcome: 'ok', code: '404', value: null };
  }
  return {
    ...sent,
    ...{ operation: plan.operation, collection, key },
    ...(token === undefined ? {} : { token }),
    ...(bytes === undefined ? {} : { bytes }),
    ...(by === undefined ? {} : { by }),
    ...(condition === undefined ? {} : { condition }),
    ...observed,
  };
}

/** What each write of a batch would have been answered by itself; `undefined` where the whole has one answer. */
function resultsOf(answer: HttpAnswer): readonly HttpAnswer[] | undefined {
  if ('error' in answer || answer.status !== 200) return undefined;
  const { results } = JSON.parse(answer.body) as { results: readonly { status: number }[] };
  return results.map((result) => ({ ...answer, status: result.status, body: JSON.stringify(result) }));
}

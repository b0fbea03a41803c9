import type { EntryState } from '../../domain/mutation.ts';
import type { Explanation } from '../../service/holdfast.ts';
import { collectionNamed } from '../collection.ts';
import { jsonResponse } from '../json-response.ts';
import { entryOf } from '../path.ts';
import { ENTRY_PATH, type Route } from '../route.ts';
import { explanation } from '../schemas/explanation.ts';

/** `GET …/{key}/explanation`: why a read gives what it gives. */
export const explainEntry: Route = {
  method: 'get',
  path: `${ENTRY_PATH}/explanation`,
  effect: 'read',
  access: 'read',
  operation: {
    id: 'explainEntry',
    tag: 'Entries',
    summary: 'Explain what a read gives',
    description:
      'The cached value, the pending write with its batch, the row, and which of them wins. Changes nothing.',
    answers: { 200: { description: 'Every copy of the entry.', schema: explanation } },
    problems: ['collection-not-found', 'dependency-unavailable'],
  },
  handler:
    ({ holdfast }) =>
    async (c, deadlineAt) => {
      const entry = entryOf(c);
      const collection = collectionNamed(holdfast.collections, entry.collection);
      return jsonResponse(c, explanationJson(await holdfast.explain(collection, entry.key, { deadlineAt })));
    },
};

function explanationJson(e: Explanation): string {
  return object({
    collection: JSON.stringify(e.collection),
    key: JSON.stringify(e.key),
    partition: JSON.stringify(e.partition),
    epoch: JSON.stringify(e.epoch),
    cached: e.cached === null ? 'null' : object(stateMembers(e.cached)),
    pending: e.pending === null ? 'null' : pendingJson(e.pending),
    row: e.row === null ? 'null' : object(stateMembers(e.row)),
    setAside: JSON.stringify(e.setAside),
    winner: JSON.stringify(e.winner),
  });
}

function pendingJson(pending: NonNullable<Explanation['pending']>): string {
  return object({
    ...stateMembers(pending),
    batchId: JSON.stringify(pending.batchId),
    where: JSON.stringify(pending.where),
    workflowId: JSON.stringify(pending.workflowId),
    runId: JSON.stringify(pending.runId),
  });
}

/** `deleted` tells a deleted entry from one whose value is the JSON `null`. */
function stateMembers({ version, value }: EntryState): Record<string, string> {
  return { version: String(version), deleted: String(value === null), value: value ?? 'null' };
}

/** An object of members that are JSON text already: a value is shown as it is kept, its numbers unrounded. */
function object(members: Record<string, string>): string {
  return `{${Object.entries(members)
    .map(([name, json]) => `"${name}":${json}`)
    .join(',')}}`;
}

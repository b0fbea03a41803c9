import { defineSearchAttributeKey } from '@temporalio/common';
import { upsertSearchAttributes } from '@temporalio/workflow';
import { SEARCH_ATTRIBUTES } from '../domain/search-attributes.ts';
import type { BatchInput, BatchState } from './messages.ts';

const STATE = defineSearchAttributeKey(SEARCH_ATTRIBUTES.state.name, SEARCH_ATTRIBUTES.state.type);
const ERROR = defineSearchAttributeKey(SEARCH_ATTRIBUTES.error.name, SEARCH_ATTRIBUTES.error.type);

/** What operators find a running batch by. */
export interface VisibleState {
  /** The batch waits in this state, for this kind of failure. */
  waits(state: BatchState, failure: string | undefined): void;
  /** What it waited for is over; nothing to say where it never waited. */
  goesOn(): void;
}

/**
 * The search attributes of a running batch. Each change of them is an event, so only a batch in trouble makes any: the start
 * has set the state that a batch without trouble keeps.
 *
 * What tells older histories apart is the input, not `patched()`: a query that comes during a local activity moves the code
 * after it into the next workflow task, and a replay, which is there one task earlier, does not see the mark yet.
 */
export function createVisibleState({ searchAttributes }: BatchInput): VisibleState {
  let shown: { readonly state: BatchState; readonly failure: string | undefined } | undefined;

  function show(state: BatchState, failure: string | undefined): void {
    if (searchAttributes !== true || (shown?.state === state && shown.failure === failure)) return;
    shown = { state, failure };
    upsertSearchAttributes([
      { key: STATE, value: state },
      { key: ERROR, value: failure ?? null },
    ]);
  }

  return {
    waits: show,
    goesOn() {
      if (shown !== undefined) show('releasing', undefined);
    },
  };
}

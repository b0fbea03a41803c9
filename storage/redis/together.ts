import { createGather } from '../gather.ts';
import type { RunScript, ScriptReply } from './reply.ts';

/** One or more of the many calls that a script takes at once. */
export interface TogetherCall {
  readonly script: string;
  /** Calls of one script run together where this is equal: the partition, its epoch, and whatever else they share. */
  readonly group: string;
  /** KEYS and ARGV that come before those of the calls. Asked for when the script is sent. */
  readonly shared: () => { readonly keys: readonly string[]; readonly args: readonly (string | number)[] };
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
  /** How many calls these are, at most {@link MAX_CALLS}; one where it is left out. They are made in their order. */
  readonly count?: number;
}

/** What a script answers one call. */
export type Answer = ScriptReply[number] | ScriptReply;

export interface TogetherReply {
  /** One for each call. */
  readonly answers: readonly Answer[];
  /** What the script says to all calls after their answers. */
  readonly toAll: Answer | undefined;
}

/**
 * Runs calls that are made at about the same time as one script: what a script costs by itself (a command on its way there
 * and back, the look at `run_id` and epoch, the state of the partition) is paid once for all of them. Each gets its own part
 * of the answer, or the whole of one that is about all: `{'ok', one for each call, what is said to all}`, or anything else.
 * @throws as `RedisStore.run`: each of the calls.
 */
export type Together = (call: TogetherCall) => Promise<TogetherReply>;

/** A longer script would hold up all of Redis. */
export const MAX_CALLS = 128;
/** Of the calls' arguments; a single call may have more. */
export const MAX_BYTES = 1_048_576;

export function createTogether(run: RunScript): Together {
  return createGather<TogetherCall, TogetherReply>(
    ({ script, group }) => `${script} ${group}`,
    async (calls) => {
      const [first] = calls;
      if (first === undefined) return [];
      const { keys, args } = first.shared();
      const reply = await run(
        first.script,
        keys.concat(...calls.map((call) => call.keys)),
        args.concat(...calls.map((call) => call.args)),
      );
      const allSame = reply[0] !== 'ok';
      const toAll = allSame ? undefined : reply[1 + calls.reduce((sum, call) => sum + countOf(call), 0)];
      let from = 1;
      return calls.map((call) => {
        const count = countOf(call);
        if (allSame) return { answers: Array.from({ length: count }, () => reply), toAll };
        from += count;
        return { answers: reply.slice(from - count, from), toAll };
      });
    },
    // One at a time: what waits behind a script that gets no answer was certainly not sent.
    { items: MAX_CALLS, inFlight: 1, weight: { of: weight, max: 1 } },
  );
}

/** The only answer to a call that is one. */
export function answerOf({ answers: [answer] }: TogetherReply): Answer {
  if (answer === undefined) throw new TypeError('Redis script: no answer');
  return answer;
}

function countOf({ count = 1 }: TogetherCall): number {
  return count;
}

/** The share of what one script may carry. */
function weight(call: TogetherCall): number {
  let bytes = 0;
  for (const arg of call.args) if (typeof arg === 'string') bytes += Buffer.byteLength(arg);
  return Math.max(bytes / MAX_BYTES, countOf(call) / MAX_CALLS);
}

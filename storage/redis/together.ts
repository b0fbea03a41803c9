import { createGather } from '../gather.ts';
import type { RunScript, ScriptReply } from './reply.ts';

/** One of many calls that a script takes at once. */
export interface TogetherCall {
  readonly script: string;
  /** Calls of one script run together where this is equal: the partition, its epoch, and whatever else they share. */
  readonly group: string;
  /** KEYS and ARGV that come before those of the calls. Asked for when the script is sent. */
  readonly shared: () => { readonly keys: readonly string[]; readonly args: readonly (string | number)[] };
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
}

/**
 * Runs calls that are made at about the same time as one script: what a script costs by itself (a command on its way there
 * and back, the look at `run_id` and epoch, the state of the partition) is paid once for all of them. Each gets its own part
 * of the answer, or the whole of one that is about all: `{'ok', one for each call}`, or anything else.
 * @throws as `RedisStore.run`: each of the calls.
 */
export type Together = (call: TogetherCall) => Promise<string | ScriptReply>;

/** A longer script would hold up all of Redis. */
const MAX_CALLS = 128;
const MAX_CHARACTERS = 1_048_576;

export function createTogether(run: RunScript): Together {
  return createGather<TogetherCall, string | ScriptReply>(
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
      if (reply[0] === 'ok') return reply.slice(1) as (string | ScriptReply)[];
      return calls.map(() => reply);
    },
    // One at a time: what waits behind a script that gets no answer was certainly not sent.
    { items: MAX_CALLS, inFlight: 1, weight: { of: characters, max: MAX_CHARACTERS } },
  );
}

function characters({ args }: TogetherCall): number {
  return args.reduce<number>((sum, arg) => sum + (typeof arg === 'string' ? arg.length : 0), 0);
}

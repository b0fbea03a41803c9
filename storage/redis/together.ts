import type { RedisStore, ScriptReply } from './client.ts';

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

/** What keeps one script from holding Redis up: beyond it, the next one takes the rest. */
const MAX_CALLS = 128;
const MAX_CHARACTERS = 1_048_576;
/** Scripts of a group under way. While so many are, calls gather: the more there is to do, the more is done at once. */
const MAX_IN_FLIGHT = 1;

interface Waiting extends TogetherCall {
  resolve(reply: string | ScriptReply): void;
  reject(error: unknown): void;
}

interface Group {
  readonly waiting: Waiting[];
  inFlight: number;
  /** A look at what waits is due at the end of this turn of the event loop. */
  due: boolean;
}

export function createTogether(run: RedisStore['run']): Together {
  const groups = new Map<string, Group>();

  async function runAll(calls: readonly Waiting[]): Promise<void> {
    const first = calls[0];
    if (first === undefined) return;
    try {
      const { keys, args } = first.shared();
      const reply = await run(
        first.script,
        keys.concat(...calls.map((call) => call.keys)),
        args.concat(...calls.map((call) => call.args)),
      );
      const each = reply[0] === 'ok' && reply.length === calls.length + 1;
      for (const [i, call] of calls.entries()) {
        call.resolve(each ? (reply[i + 1] as string | ScriptReply) : reply);
      }
    } catch (error) {
      for (const call of calls) call.reject(error);
    }
  }

  function send(name: string, group: Group): void {
    while (group.waiting.length > 0 && group.inFlight < MAX_IN_FLIGHT) {
      group.inFlight += 1;
      void runAll(takeSome(group.waiting)).then(() => {
        group.inFlight -= 1;
        if (group.waiting.length > 0) send(name, group);
        else if (group.inFlight === 0) groups.delete(name);
      });
    }
  }

  return (call) =>
    new Promise((resolve, reject) => {
      const name = `${call.script} ${call.group}`;
      let group = groups.get(name);
      if (group === undefined) {
        group = { waiting: [], inFlight: 0, due: false };
        groups.set(name, group);
      }
      const { waiting } = group;
      waiting.push({ ...call, resolve, reject });
      if (group.due) return;
      group.due = true;
      const one = group;
      setImmediate(() => {
        one.due = false;
        send(name, one);
      });
    });
}

/** Takes from the front what may run as one script. */
function takeSome(waiting: Waiting[]): Waiting[] {
  let characters = 0;
  let count = 0;
  for (const { args } of waiting) {
    for (const arg of args) if (typeof arg === 'string') characters += arg.length;
    if (count > 0 && (count >= MAX_CALLS || characters > MAX_CHARACTERS)) break;
    count += 1;
  }
  return waiting.splice(0, count);
}

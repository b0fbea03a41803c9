/** What bounds the calls that are made as one. */
export interface GatherLimits<I> {
  /** Items in one call. */
  readonly items: number;
  /** Calls of one group under way. While so many are, items gather: the more there is to do, the more is done at once. */
  readonly inFlight: number;
  /** What an item weighs, and how much one call may carry; a single item may weigh more. */
  readonly weight?: { readonly of: (item: I) => number; readonly max: number };
  /** How long an item waits to be sent, and the error with which it then ends: what waits for a server that hangs is bounded. */
  readonly patience?: { readonly ms: number; readonly error: (ms: number) => Error };
}

interface Waiting<I, O> {
  readonly item: I;
  /** By this process's monotonic clock. */
  readonly since: number;
  resolve(answer: O): void;
  reject(error: unknown): void;
}

interface Group<I, O> {
  readonly waiting: Waiting<I, O>[];
  inFlight: number;
  /** A look at what waits is due at the end of this turn of the event loop. */
  due: boolean;
}

/**
 * Makes one call of what many ask for at about the same time. `run` is called with items of one group, in the order in which
 * they came and never with one twice; it answers as many, in their order. Where it throws, each of them gets the error.
 */
export function createGather<I, O>(
  groupOf: (item: I) => string,
  run: (items: readonly I[]) => Promise<readonly O[]>,
  limits: GatherLimits<I>,
): (item: I) => Promise<O> {
  const groups = new Map<string, Group<I, O>>();

  async function runAll(some: readonly Waiting<I, O>[]): Promise<void> {
    try {
      const answers = await run(some.map(({ item }) => item));
      if (answers.length !== some.length) throw new Error(`${some.length} asked, ${answers.length} answered`);
      for (const [i, { resolve }] of some.entries()) resolve(answers[i] as O);
    } catch (error) {
      for (const { reject } of some) reject(error);
    }
  }

  /** Those that waited too long stand first. */
  function giveUp({ waiting }: Group<I, O>): void {
    if (limits.patience === undefined) return;
    const { ms, error } = limits.patience;
    const since = performance.now() - ms;
    const young = waiting.findIndex((one) => one.since > since);
    for (const { reject } of waiting.splice(0, young < 0 ? waiting.length : young)) reject(error(ms));
  }

  function send(name: string, group: Group<I, O>): void {
    while (group.waiting.length > 0 && group.inFlight < limits.inFlight) {
      group.inFlight += 1;
      void runAll(takeSome(group.waiting)).then(() => {
        group.inFlight -= 1;
        giveUp(group);
        if (group.waiting.length > 0) send(name, group);
        else if (group.inFlight === 0) groups.delete(name);
      });
    }
  }

  /** Takes from the front what one call may carry. */
  function takeSome(waiting: Waiting<I, O>[]): Waiting<I, O>[] {
    const { items, weight } = limits;
    const some = waiting.slice(0, items);
    let sum = 0;
    const tooMuch = some.findIndex(({ item }, i) => {
      sum += weight?.of(item) ?? 0;
      return i > 0 && weight !== undefined && sum > weight.max;
    });
    return waiting.splice(0, tooMuch < 0 ? some.length : tooMuch);
  }

  return (item) =>
    new Promise((resolve, reject) => {
      const name = groupOf(item);
      const found = groups.get(name);
      const group = found ?? { waiting: [], inFlight: 0, due: false };
      if (found === undefined) groups.set(name, group);
      group.waiting.push({ item, since: performance.now(), resolve, reject });
      if (group.due) return;
      group.due = true;
      setImmediate(() => {
        group.due = false;
        giveUp(group);
        send(name, group);
      });
    });
}

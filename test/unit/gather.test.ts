import { describe, expect, test, vi } from 'vitest';
import { createGather, type GatherLimits } from '../../storage/gather.ts';

interface Call {
  readonly items: readonly string[];
  answer(answers?: readonly string[]): void;
  fail(error: Error): void;
}

/** A gather whose calls end when a test says so. Items are grouped by their first letter. */
function gathering(limits: Partial<GatherLimits<string>> = {}) {
  const calls: Call[] = [];
  const ask = createGather<string, string>(
    (item) => item.slice(0, 1),
    (items) =>
      new Promise((resolve, reject) => {
        const answer = (answers = items.map((item) => item.toUpperCase())) => resolve(answers);
        calls.push({ items, answer, fail: reject });
      }),
    { items: 100, inFlight: 1, ...limits },
  );
  return { ask, calls, sent: () => calls.map(({ items }) => items) };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('calls made at about the same time', () => {
  test('are one, in the order in which they came, and each gets its own answer', async () => {
    const { ask, calls, sent } = gathering();
    const answers = Promise.all([ask('a1'), ask('a2'), Promise.resolve().then(() => ask('a3'))]);
    expect(sent()).toEqual([]);
    await turn();
    expect(sent()).toEqual([['a1', 'a2', 'a3']]);
    calls[0]?.answer();
    expect(await answers).toEqual(['A1', 'A2', 'A3']);
  });

  test('stay apart where their groups differ', async () => {
    const { ask, sent } = gathering();
    void ask('a1');
    void ask('b1');
    void ask('a2');
    await turn();
    expect(sent()).toEqual([['a1', 'a2'], ['b1']]);
  });

  test('fail together, and the next ones are tried', async () => {
    const { ask, calls } = gathering();
    const both = Promise.allSettled([ask('a1'), ask('a2')]);
    await turn();
    const next = ask('a3');
    const error = new Error('gone');
    calls[0]?.fail(error);
    expect(await both).toEqual([
      { status: 'rejected', reason: error },
      { status: 'rejected', reason: error },
    ]);
    await turn();
    calls[1]?.answer();
    expect(await next).toBe('A3');
  });

  test('a call that answers too few has answered nobody', async () => {
    const { ask, calls } = gathering();
    const both = Promise.allSettled([ask('a1'), ask('a2')]);
    await turn();
    calls[0]?.answer(['A1']);
    expect((await both).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });
});

describe('while as many calls as may be are under way', () => {
  test('the next ones gather, and go as soon as one has ended', async () => {
    const { ask, calls, sent } = gathering({ inFlight: 2 });
    for (const item of ['a1', 'a2', 'a3', 'a4']) {
      void ask(item);
      await turn();
    }
    expect(sent()).toEqual([['a1'], ['a2']]);
    calls[1]?.answer();
    await turn();
    expect(sent().slice(2)).toEqual([['a3', 'a4']]);
  });

  test('those of another group are not held up', async () => {
    const { ask, sent } = gathering();
    void ask('a1');
    await turn();
    void ask('b1');
    await turn();
    expect(sent()).toEqual([['a1'], ['b1']]);
  });
});

describe('one call', () => {
  test('carries no more than its limit; the rest follows', async () => {
    const { ask, calls, sent } = gathering({ items: 2 });
    const all = Promise.all(['a1', 'a2', 'a3', 'a4', 'a5'].map(ask));
    for (let i = 0; i < 3; i += 1) {
      await turn();
      calls[i]?.answer();
    }
    expect(await all).toEqual(['A1', 'A2', 'A3', 'A4', 'A5']);
    expect(sent()).toEqual([['a1', 'a2'], ['a3', 'a4'], ['a5']]);
  });

  test('weighs no more than its limit, unless a single item does', async () => {
    const { ask, calls, sent } = gathering({ weight: { of: (item) => item.length, max: 5 } });
    const all = Promise.all(['a1', 'a2', 'a-very-long-one', 'a3'].map(ask));
    for (let i = 0; i < 3; i += 1) {
      await turn();
      calls[i]?.answer();
    }
    await all;
    expect(sent()).toEqual([['a1', 'a2'], ['a-very-long-one'], ['a3']]);
  });
});

describe('what waits longer than it may', () => {
  const patience = { ms: 1_000, error: () => new Error('too long') };
  const outcomeOf = (asked: Promise<string>) => asked.catch((error: Error) => error.message);

  test('ends unsent as soon as another comes, or a call has ended; what is sent is left to its call', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      const { ask, calls, sent } = gathering({ patience });
      const first = outcomeOf(ask('a1'));
      await turn();
      const [second, third] = [outcomeOf(ask('a2')), outcomeOf(ask('a3'))];
      vi.advanceTimersByTime(1_000);
      const young = outcomeOf(ask('a4'));
      await turn();
      expect(await Promise.all([second, third])).toEqual(['too long', 'too long']);
      calls[0]?.answer();
      await turn();
      expect(sent()).toEqual([['a1'], ['a4']]);
      const late = outcomeOf(ask('a5'));
      await turn();
      vi.advanceTimersByTime(1_000);
      calls[1]?.answer();
      expect(await Promise.all([first, young, late])).toEqual(['A1', 'A4', 'too long']);
      expect(calls).toHaveLength(2);
    } finally {
      vi.useRealTimers();
    }
  });
});

import { expect, test } from 'vitest';
import { type Answered, ProblemError } from '../../console/model/call.ts';
import { type Connection, follow } from '../../console/model/follow.ts';

/** An answer that sends the pieces, and then ends or is silent. */
function answer(pieces: readonly string[], { silent = false } = {}): (signal: AbortSignal) => Answered {
  return (signal) => {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece));
        if (!silent) controller.close();
        signal.addEventListener('abort', () => silent && controller.error(signal.reason));
      },
    });
    return { ok: true, status: 200, body, text: async () => '' };
  };
}

const summary = (n: number) => `event: summary\ndata: {"n":${n}}\n\n`;

/** Follows the answers one after the other, until the last one locks the page. */
async function followed(answers: readonly ((signal: AbortSignal) => Answered)[]) {
  const seen: (Connection | { n: number })[] = [];
  let next = 0;
  await follow({
    open: async (signal) => {
      const open = answers[next++];
      if (open === undefined) throw new ProblemError(401, 'unauthenticated', 'Send an API key.');
      return open(signal);
    },
    onSummary: (one) => seen.push(one as unknown as { n: number }),
    onConnection: (connection) => seen.push(connection),
    signal: new AbortController().signal,
    silenceMs: 30,
    pauseMs: 1,
  });
  return seen;
}

const LOCKED = { state: 'locked', status: 401, why: 'Send an API key.' };

test('summaries come one after the other; a stream that ends is lost, and opened again', async () => {
  expect(await followed([answer([summary(1), summary(2)]), answer([summary(3)])])).toEqual([
    { state: 'connecting' },
    ...[{ n: 1 }, { state: 'live' }, { n: 2 }, { state: 'live' }],
    { state: 'lost', why: 'The stream of events ended.' },
    ...[{ n: 3 }, { state: 'live' }],
    { state: 'lost', why: 'The stream of events ended.' },
    LOCKED,
  ]);
});

test('a stream that falls silent is lost', async () => {
  const seen = await followed([answer([summary(1)], { silent: true })]);
  expect(seen.slice(3)).toEqual([{ state: 'lost', why: 'Nothing came for 0.03 s.' }, LOCKED]);
});

test('no connection is lost in plain words, and a problem in those of the API', async () => {
  const fails = (error: Error) => () => {
    throw error;
  };
  const seen = await followed([
    fails(new TypeError('Failed to fetch')),
    fails(new ProblemError(503, 'overloaded', 'This process already sends events to 50 clients.')),
  ]);
  expect(seen.slice(1)).toEqual([
    { state: 'lost', why: 'No connection to the API.' },
    { state: 'lost', why: 'This process already sends events to 50 clients.' },
    LOCKED,
  ]);
});

test('who leaves hears nothing more', async () => {
  const ending = new AbortController();
  const seen: unknown[] = [];
  await follow({
    open: async (signal) => answer([summary(1)], { silent: true })(signal),
    onSummary: () => ending.abort(),
    onConnection: (connection) => seen.push(connection.state),
    signal: ending.signal,
  });
  expect(seen).toEqual(['connecting', 'live']);
});

import { type Answered, ProblemError, wordsOf } from './call.ts';
import { createEventReader } from './server-sent-events.ts';
import type { Summary } from './wire.ts';

/** How the page stands with the API. `locked`: it wants an API key, or another one. */
export type Connection =
  | { readonly state: 'connecting' }
  | { readonly state: 'live' }
  | { readonly state: 'lost'; readonly why: string }
  | { readonly state: 'locked'; readonly status: number; readonly why: string };

export interface FollowOptions {
  /** Opens the stream of events. @throws ProblemError, or whatever a network error is. */
  readonly open: (signal: AbortSignal) => Promise<Answered>;
  readonly onSummary: (summary: Summary) => void;
  readonly onConnection: (connection: Connection) => void;
  /** Ends it all. */
  readonly signal: AbortSignal;
  /** A stream that is silent for so long is given up, in ms. Events come each second, at worst each three. */
  readonly silenceMs?: number;
  /** Before the first repetition, in ms; each further one waits twice as long, up to eight times that. */
  readonly pauseMs?: number;
}

/**
 * Follows the summaries that the API sends, and connects again whenever the stream ends or falls silent, until it is aborted or
 * the API wants another key.
 */
export async function follow(options: FollowOptions): Promise<void> {
  const { onConnection, signal, pauseMs = 1_000 } = options;
  let failures = 0;
  onConnection({ state: 'connecting' });
  while (!signal.aborted) {
    try {
      await readOnce(options, () => {
        failures = 0;
      });
      throw new Error('The stream of events ended.');
    } catch (error) {
      if (signal.aborted) return;
      const { status, message } =
        error instanceof ProblemError ? error : { status: 0, message: wordsOf(error) };
      if (status === 401 || status === 403) return onConnection({ state: 'locked', status, why: message });
      onConnection({ state: 'lost', why: message });
    }
    await pause(pauseMs * 2 ** Math.min(failures, 3), signal);
    failures += 1;
  }
}

async function readOnce(options: FollowOptions, onFirst: () => void): Promise<void> {
  const { open, onSummary, onConnection, signal, silenceMs = 8_000 } = options;
  const attempt = new AbortController();
  const stop = () => attempt.abort();
  let timer = setTimeout(stop, silenceMs);
  signal.addEventListener('abort', stop);
  try {
    const { body } = await open(attempt.signal);
    if (body === null) return;
    const reader = body.getReader();
    const decoder = new TextDecoder();
    const read = createEventReader();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      for (const { event, data } of read(decoder.decode(piece.value, { stream: true }))) {
        if (event !== 'summary') continue;
        clearTimeout(timer);
        timer = setTimeout(stop, silenceMs);
        onFirst();
        onSummary(JSON.parse(data) as Summary);
        onConnection({ state: 'live' });
      }
    }
  } catch (error) {
    throw attempt.signal.aborted ? new Error(`Nothing came for ${silenceMs / 1_000} s.`) : error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
    attempt.abort();
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}

import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { wordsOf } from '../model/call.ts';

/** What was asked for, or why it did not come; what came last stays until it is replaced. */
export interface Polled<T> {
  readonly value: T | undefined;
  readonly problem: string | undefined;
  /** Asks again, now. */
  readonly refresh: () => void;
}

/**
 * Asks now, whenever `ask` is another function, and `everyMs` after each answer (0: not by itself). `undefined`: nothing to ask,
 * and nothing known.
 */
export function usePolled<T>(
  ask: ((signal: AbortSignal) => Promise<T>) | undefined,
  everyMs: number,
): Polled<T> {
  const [state, setState] = useState<{ value?: T; problem?: string }>({});
  const again = useRef<() => void>(() => {});
  useEffect(() => {
    if (ask === undefined) {
      setState({});
      return;
    }
    let ending = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const run = async () => {
      clearTimeout(timer);
      ending.abort();
      const mine = new AbortController();
      ending = mine;
      try {
        const value = await ask(mine.signal);
        if (!mine.signal.aborted) setState({ value });
      } catch (error) {
        if (mine.signal.aborted) return;
        setState(({ value }) => ({ ...(value === undefined ? {} : { value }), problem: wordsOf(error) }));
      }
      if (!mine.signal.aborted && everyMs > 0) timer = setTimeout(run, everyMs);
    };
    again.current = run;
    void run();
    return () => {
      clearTimeout(timer);
      ending.abort();
      again.current = () => {};
    };
  }, [ask, everyMs]);
  const refresh = useCallback(() => again.current(), []);
  return { value: state.value, problem: state.problem, refresh };
}

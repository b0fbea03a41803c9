export interface UntilOptions {
  /** Milliseconds; default 10,000. */
  readonly timeoutMs?: number;
  /** Milliseconds between two tries; default 25. */
  readonly everyMs?: number;
  /** Named in the error: "waited 10000 ms for <what>". */
  readonly what: string;
}

/**
 * Asks `condition` until it gives something truthy, and returns that. An error inside `condition` counts as "not yet".
 * @throws Error when the time is over, naming what was waited for and the last error.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 10_000, everyMs = 25, what }: UntilOptions,
): Promise<Exclude<T, false | null | undefined | 0 | ''>> {
  const end = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value as Exclude<T, false | null | undefined | 0 | ''>;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() >= end) {
      const why = last instanceof Error ? `: ${last.message}` : '';
      throw new Error(`waited ${timeoutMs} ms for ${what}${why}`, { cause: last });
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

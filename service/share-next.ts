/**
 * Lets many callers share costly work about the same key, one run at a time. A caller shares only a run that begins after its
 * call: the result is as fresh as that of a run of its own.
 */
export function shareNext<T>(work: (key: number) => Promise<T>): (key: number) => Promise<T> {
  const running = new Map<number, Promise<T>>();
  const next = new Map<number, Promise<T>>();

  function begin(key: number): Promise<T> {
    next.delete(key);
    const run = work(key);
    running.set(key, run);
    const done = () => {
      if (running.get(key) === run) running.delete(key);
    };
    run.then(done, done);
    return run;
  }

  return (key) => {
    const current = running.get(key);
    if (current === undefined) return begin(key);
    const waiting =
      next.get(key) ??
      current.then(
        () => begin(key),
        () => begin(key),
      );
    next.set(key, waiting);
    return waiting;
  };
}

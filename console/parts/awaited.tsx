import type { ComponentChildren } from 'preact';
import type { Polled } from './use-polled.ts';

interface Props<T> {
  readonly of: Polled<T>;
  /** What to say where nothing came, below the reason. */
  readonly without?: string;
  /** Shows what came, also while it cannot be had anew. */
  readonly children: (value: T) => ComponentChildren;
}

/** What was asked for: until it is there, that it was asked for; where it did not come, why. */
export function Awaited<T>({ of: { value, problem }, without = '', children }: Props<T>) {
  return (
    <>
      {problem === undefined ? null : <p class="problem">{problem}</p>}
      {value === undefined ? <p>{problem === undefined ? 'Asking…' : without}</p> : children(value)}
    </>
  );
}

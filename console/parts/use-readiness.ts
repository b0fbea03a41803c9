import { useCallback } from 'preact/hooks';
import type { Api } from '../model/call.ts';
import type { Dependency, Readiness } from '../model/wire.ts';
import { type Polled, usePolled } from './use-polled.ts';

/** Probes are cheap, and no key is needed for them. */
const EVERY_MS = 3_000;

/** How each part of the system is. */
export function useReadiness(api: Api): Polled<Readiness> {
  const ask = useCallback(
    (signal: AbortSignal) => api.json<Readiness>('GET', '/readyz', { signal, also: [503] }),
    [api],
  );
  return usePolled(ask, EVERY_MS);
}

/** The parts that hold writes up. */
export function downOf({ value, problem }: Polled<Readiness>): readonly Dependency[] {
  if (value === undefined || problem !== undefined) return [];
  return value.dependencies.filter(({ ok, dependency }) => !ok && dependency !== 'search-attributes');
}

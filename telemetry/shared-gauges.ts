import { Gauge, type Registry } from 'prom-client';
import type { SharedFigures } from './metrics.ts';

/**
 * Of what all processes share. Every process that is asked says the same, so across processes the maximum counts; but whether a
 * dependency answers is each process's own view.
 */
export function createSharedGauges(registry: Registry): (figures: SharedFigures) => void {
  const registers = [registry];
  const gauge = (name: string, help: string, ...labelNames: string[]) =>
    new Gauge({ name, help: `${help} The same on every process: use max().`, labelNames, registers });
  const up = new Gauge({
    name: 'holdfast_dependency_up',
    help: 'Whether a dependency answers this process, and is none that refuses all writes, as a replica does (a Redis at its memory limit is up): use min(), since one may be cut off alone.',
    labelNames: ['dependency'],
    registers,
  });
  const pending = gauge(
    'holdfast_pending_entries',
    'Entries with a write that is not in PostgreSQL.',
    'partition',
  );
  const staged = gauge(
    'holdfast_staged_entries',
    'Entries with a write that Temporal does not have yet.',
    'partition',
  );
  const batches = gauge(
    'holdfast_open_batches',
    'Batches that are not settled, by state.',
    'partition',
    'state',
  );
  const oldest = gauge(
    'holdfast_oldest_unpersisted_seconds',
    'Age of the oldest write that is not in PostgreSQL; 0 where there is none.',
    'partition',
  );
  const slots = gauge('holdfast_slots', 'Batch workflows that may be open.', 'partition');
  const inUse = gauge('holdfast_slots_in_use', 'Slots that a batch has.', 'partition');
  const epoch = gauge(
    'holdfast_epoch',
    'Number of the epoch: it grows when Redis lost its memory.',
    'partition',
  );
  const dead = gauge(
    'holdfast_dead_letters_waiting',
    'Writes that PostgreSQL refused and nobody has decided on.',
  );
  const draining = gauge(
    'holdfast_draining',
    'Whether a drain holds, so that write-behind writes are refused.',
  );
  const all = [up, pending, staged, batches, oldest, slots, inUse, epoch, dead, draining];

  return ({ dependencies, partitions, deadLetters, draining: drains }) => {
    // What could not be learnt has no value: an old one, or 0, would look as if all were well.
    for (const one of all) one.reset();
    dead.remove();
    draining.remove();
    for (const { dependency, ok } of dependencies) up.set({ dependency }, ok ? 1 : 0);
    for (const one of partitions) {
      const { partition } = one;
      pending.set({ partition }, one.pendingEntries);
      staged.set({ partition }, one.stagedEntries);
      for (const [state, count] of Object.entries(one.batches)) batches.set({ partition, state }, count);
      oldest.set({ partition }, one.oldestSeconds);
      slots.set({ partition }, one.slots);
      inUse.set({ partition }, one.slotsInUse);
      epoch.set({ partition }, one.epoch);
    }
    if (deadLetters !== undefined) dead.set(deadLetters);
    if (drains !== undefined) draining.set(drains ? 1 : 0);
  };
}

/**
 * How safe a write is. `cached`: in Redis, visible to all readers, staged for the queue. `queued`: accepted by Temporal.
 * `persisted`: committed in PostgreSQL.
 */
export type Acknowledgement = 'cached' | 'queued' | 'persisted';

/** Weakest first. */
export const ACKNOWLEDGEMENTS: readonly Acknowledgement[] = ['cached', 'queued', 'persisted'];

/** Whether `reached` is at least as safe as `wanted`. */
export function satisfies(reached: Acknowledgement, wanted: Acknowledgement): boolean {
  return ACKNOWLEDGEMENTS.indexOf(reached) >= ACKNOWLEDGEMENTS.indexOf(wanted);
}

import type { Contender } from '../contenders.ts';
import type { LoadProcess } from '../load-process.ts';
import type { Services } from '../services.ts';
import type { Holdfast } from '../start-holdfast.ts';
import type { GrowthOptions } from './options.ts';

/** What every part of the benchmark is given. */
export interface Setting {
  readonly services: Services;
  readonly load: LoadProcess;
  /** Peer (a), which everything is compared with. */
  readonly reference: Contender;
  readonly options: GrowthOptions;
}

let holdfasts = 0;

/** A number for the next Holdfast: no two share names of databases and folders. */
export function nextNumber(): number {
  holdfasts += 1;
  return holdfasts;
}

/** Uses a Holdfast, and ends its processes in any case, so that the next one has the machine for itself. */
export async function using<T>(
  starting: Promise<Holdfast>,
  use: (holdfast: Holdfast) => Promise<T>,
): Promise<T> {
  const holdfast = await starting;
  try {
    return await use(holdfast);
  } finally {
    await holdfast.stop();
  }
}

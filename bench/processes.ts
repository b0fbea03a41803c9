import { readdirSync, readFileSync } from 'node:fs';
import { PARTS, type Part, type Parts } from './system.ts';

/** Linux counts CPU time in hundredths of a second, on every architecture that Node runs on. */
const TICK_MS = 10;

export type ByPart = Readonly<Partial<Record<Part, number>>>;

/** What is added up over the processes of a part. */
type Figure = (pids: readonly number[]) => number;

function parentsOfAll(): ReadonlyMap<number, number> {
  try {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return new Map(pids.map((pid) => [Number(pid), statOf(Number(pid))[1] ?? 0]));
  } catch {
    return new Map();
  }
}

/** The numbers of /proc/PID/stat from the state on; none of a process that has ended. */
function statOf(pid: number): number[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, in parentheses, may hold anything.
    return stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
  } catch {
    return [];
  }
}

/** Nothing where the system does not tell (it is read from /proc). */
function ofParts(parts: Parts, figure: Figure): ByPart {
  const parents = parentsOfAll();
  const belongs = (pid: number, root: number): boolean => {
    if (pid === root) return true;
    const parent = parents.get(pid);
    return parent !== undefined && parent > 1 && belongs(parent, root);
  };
  const found: Partial<Record<Part, number>> = {};
  for (const part of parents.size === 0 ? [] : PARTS) {
    const roots = parts[part];
    if (roots === undefined || roots.length === 0) continue;
    found[part] = figure([...parents.keys()].filter((pid) => roots.some((root) => belongs(pid, root))));
  }
  return found;
}

/** The CPU time in milliseconds that each part has used since it started, with the children that it had. */
export function cpuTimesMs(parts: Parts): ByPart {
  return ofParts(parts, (pids) =>
    pids.reduce((sum, pid) => {
      // utime and stime, and those of children that ended.
      const [user = 0, system = 0, childUser = 0, childSystem = 0] = statOf(pid).slice(11, 15);
      return sum + (user + system + childUser + childSystem) * TICK_MS;
    }, 0),
  );
}

/** The resident memory of each part in MB. Pages that processes share count once, for the one that has most of them. */
export function residentMegabytes(parts: Parts): ByPart {
  return ofParts(parts, (pids) => {
    let own = 0;
    let shared = 0;
    for (const pid of pids) {
      const pages = residentKilobytes(pid);
      own += pages.own;
      shared = Math.max(shared, pages.shared);
    }
    return (own + shared) / 1_024;
  });
}

/** The most resident memory in MB that one process ever had, as the kernel keeps it; `undefined` where it does not tell. */
export function peakMegabytes(pid: number): number | undefined {
  const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(readStatus(pid))?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) / 1_024;
}

/** Empty for a process that has ended, and where there is no /proc. */
function readStatus(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return '';
  }
}

function residentKilobytes(pid: number) {
  const status = readStatus(pid);
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0);
  return { own: field('RssAnon'), shared: field('RssFile') + field('RssShmem') };
}

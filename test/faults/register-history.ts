import { satisfies } from '../../domain/acknowledgement.ts';
import { type Call, isWrite, type State, type Value } from './history.ts';

/** Something that was seen of the register, or done to it, between two instants. */
export interface Step {
  readonly start: number;
  /** Infinity for a write without an answer: it may take effect at any time after its start. */
  readonly end: number;
  /** What shows it; none for the row at the end. */
  readonly calls: readonly Call[];
}

/** A write that certainly took effect, as its version was acknowledged or seen. */
export interface Write extends Step {
  readonly version: number;
  readonly value: Value;
  readonly condition?: NonNullable<Call['condition']>;
  /** What an increment added; an increment that is known by a read only has none. */
  readonly by?: number;
}

export interface Read extends Step {
  readonly version: number;
}

/** A write, or a read that found its value. */
export interface PlacedStep extends Step {
  /** Of the write, among all: 1 for the first. */
  readonly place: number;
  readonly reads: boolean;
}

/** Why a history is not linearizable. */
export interface Flaw {
  readonly message: string;
  readonly calls: readonly Call[];
}

/** One entry of a durable collection as a versioned register. */
export interface RegisterHistory {
  /** In order of their versions. */
  readonly writes: readonly Write[];
  /** Reads that found a value. */
  readonly reads: readonly Read[];
  /** Reads that found nothing. */
  readonly absences: readonly Step[];
  /** Deletions and increments that took effect or not, at a version that nobody knows. */
  readonly unseen: readonly Call[];
}

/**
 * Tells which writes took effect and as which version. A write that was only acknowledged as `cached` counts as unknown.
 * Unknown puts that nobody saw are left out: they can only have been overwritten at once.
 * Yields flaws of single values; the history, which it returns, is to be used where there are none.
 */
export function* registerHistory(
  calls: readonly Call[],
  row: State | null,
): Generator<Flaw, RegisterHistory, undefined> {
  const writes = new Map<number, Write>();
  const open: Call[] = [];
  for (const call of calls.filter(isWrite)) {
    if (call.outcome === 'failed') continue;
    if (
      call.version === undefined ||
      call.outcome === 'unknown' ||
      !satisfies(call.level ?? 'cached', 'queued')
    ) {
      open.push(call);
      continue;
    }
    const other = writes.get(call.version);
    if (other !== undefined) {
      yield { message: `two writes were given version ${call.version}`, calls: [...other.calls, call] };
    }
    writes.set(call.version, writeOf(call, call.version, call.value ?? null));
  }

  const took = new Set<Call>();
  function takeEffect(call: Call, version: number): Write {
    took.add(call);
    const write = { ...writeOf(call, version, null), end: Number.POSITIVE_INFINITY };
    writes.set(version, write);
    return write;
  }

  const reads: Read[] = [];
  const absences: Step[] = [];
  for (const sighting of sightings(calls, row)) {
    const { version, value } = sighting;
    if (version === undefined || value === null) {
      absences.push(sighting);
      continue;
    }
    reads.push({ ...sighting, version });
    let write = writes.get(version);
    if (write === undefined && typeof value === 'number') {
      // One of the unknown increments: which one, the sums will tell.
      write = {
        version,
        value,
        start: Number.NEGATIVE_INFINITY,
        end: Number.POSITIVE_INFINITY,
        calls: sighting.calls,
      };
      writes.set(version, write);
    } else if (write === undefined) {
      const source = open.find((call) => call.token === value && (call.version ?? version) === version);
      if (source === undefined || took.has(source)) {
        yield {
          message: `${value} was read at version ${version}, where nobody wrote it`,
          calls: sighting.calls,
        };
      } else {
        write = takeEffect(source, version);
      }
    }
    if (write !== undefined && write.value !== value) {
      const calls = [...write.calls, ...sighting.calls];
      yield { message: `${value} was read at version ${version}, which is ${write.value}`, calls };
    }
  }
  // A condition that held names a version, too: of a put that was acknowledged as cached, or of one already known.
  for (const write of writes.values()) {
    if (write.condition === undefined || !('ifVersion' in write.condition)) continue;
    const { ifVersion } = write.condition;
    const source = open.find((call) => call.operation === 'put' && call.version === ifVersion);
    // What is added here is visited by this very loop.
    if (!writes.has(ifVersion) && source !== undefined) takeEffect(source, ifVersion);
  }
  return {
    writes: [...writes.values()].sort((a, b) => a.version - b.version),
    reads,
    absences,
    unseen: open.filter((call) => call.operation !== 'put'),
  };
}

function writeOf(call: Call, version: number, value: Value): Write {
  const { start, end, condition, by, token } = call;
  return {
    version,
    value: token ?? value,
    start,
    end,
    calls: [call],
    ...(condition === undefined ? {} : { condition }),
    ...(by === undefined ? {} : { by }),
  };
}

/** Every read, and the row as the read that comes last. */
function* sightings(
  calls: readonly Call[],
  row: State | null,
): Generator<Step & { readonly version: number | undefined; readonly value: Value }> {
  for (const call of calls) {
    if (call.operation !== 'read' || call.outcome !== 'ok') continue;
    const { start, end, version, value } = call;
    yield { start, end, version, value: value ?? null, calls: [call] };
  }
  const end = Number.POSITIVE_INFINITY;
  yield { start: end, end, version: row?.version, value: row?.value ?? null, calls: [] };
}

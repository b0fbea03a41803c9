import { satisfies } from '../../domain/acknowledgement.ts';
import type { Call, State, Value } from '../faults/history.ts';

/** The register between two calls. No version: of an unknown write that nobody has seen yet. */
interface Register {
  readonly value: Value;
  readonly version: number | undefined;
  /** What later versions are above. */
  readonly floor: number;
}

const END = Number.POSITIVE_INFINITY;

function isOptional({ operation, outcome, level }: Call): boolean {
  if (operation === 'read') return false;
  return outcome === 'unknown' || !satisfies(level ?? 'cached', 'queued');
}

/** Whether there is any sequence of the calls in which a versioned register gives their answers: tries all of them. */
export function searchLinearization(calls: readonly Call[], row: State | null): boolean {
  const happened = calls.filter(({ operation, outcome }) =>
    operation === 'read' ? outcome === 'ok' : outcome !== 'failed',
  );
  const last: Call = {
    ...{ client: 0, api: 0, collection: '', key: '', operation: 'read', outcome: 'ok', code: '' },
    ...{ start: END, end: END, value: row?.value ?? null },
    ...(row === null ? {} : { version: row.version }),
  };
  return search([...happened, last], { value: null, version: undefined, floor: 0 });
}

function search(left: readonly Call[], register: Register): boolean {
  const due = left.filter((call) => !isOptional(call));
  if (due.length === 0) return true;
  return left.some((call) => {
    if (due.some((other) => other !== call && other.end < call.start)) return false;
    const next = apply(call, register);
    const others = left.filter((other) => other !== call);
    return next !== undefined && search(others, next);
  });
}

/** The register after the call; `undefined` where it cannot give that answer now. */
function apply(call: Call, register: Register): Register | undefined {
  const { operation, condition, version, by, token } = call;
  if (operation === 'read') {
    if ((call.value ?? null) !== register.value) return undefined;
    return register.value === null ? register : atVersion(register, version ?? 0);
  }
  if (condition !== undefined) {
    // Conditions name versions that some answer gave: an unknown write whose version is named was read before.
    const holds =
      'ifVersion' in condition ? register.version === condition.ifVersion : register.value === null;
    if (!holds || ('ifVersion' in condition && register.value === null)) return undefined;
  }
  const value =
    operation === 'put'
      ? (token ?? null)
      : operation === 'delete'
        ? null
        : Number(register.value) + (by ?? 0);
  if (isOptional(call) && (operation !== 'put' || version === undefined)) {
    return { value, version: undefined, floor: register.floor };
  }
  if (version === undefined || version <= register.floor) return undefined;
  if (operation === 'increment' && call.value !== value) return undefined;
  return { value, version, floor: version };
}

/** The register, known to be at `version`; `undefined` where it cannot be. */
function atVersion(register: Register, version: number): Register | undefined {
  if (register.version === version) return register;
  if (register.version !== undefined || version <= register.floor) return undefined;
  return { ...register, version, floor: version };
}

/**
 * The places where a process can be made to end itself, each between two steps that a crash must not tear apart in a harmful
 * way. The bench of proof (test/faults) has a scenario for each.
 */
export const CRASH_POINTS = [
  // A write-behind write.
  'after-stage',
  'after-seal',
  'before-start',
  'after-start',
  'after-confirm',
  'after-direct-persist',
  // A write-through write.
  'after-void',
  'after-commit',
  // Several that are written through together.
  'after-voids',
  'after-commit-together',
  // A write around Redis.
  'after-announce',
  'after-direct-commit',
  // The recovery of a partition.
  'after-lock',
  'after-fence',
  'after-prepare',
  'after-install',
  // The sweep for releases that were lost, and for workflows that ended with writes inside.
  'before-redo',
  'before-rerun',
  // The activities of the worker. `in-persist` lies in code that an API process runs, too, when it persists directly.
  'before-persist',
  'in-persist',
  'after-persist',
  'before-release',
  'after-release',
  'invalidate',
] as const;

export type CrashPoint = (typeof CRASH_POINTS)[number];

interface Armed {
  readonly point: CrashPoint;
  /** 1: the first time it is reached. */
  readonly pass: number;
}

/** `after-seal:3`: the third time that point is reached. `undefined` for anything else. */
export function parseCrashPoint(text: string): Armed | undefined {
  const match = /^([a-z-]+):([1-9]\d{0,8})$/.exec(text);
  const point = CRASH_POINTS.find((name) => name === match?.[1]);
  return point === undefined ? undefined : { point, pass: Number(match?.[2]) };
}

// Read when the process loads, and never again. What cannot be read is refused with all other settings: environment.ts.
const armed = parseCrashPoint(process.env.HOLDFAST_CRASH_POINT ?? '');
const armedPoint = armed?.point;
let passesLeft = armed?.pass ?? 0;

/**
 * Ends this process with SIGKILL, at once and in the middle of whatever it does, where HOLDFAST_CRASH_POINT asks for it
 * here. Without that variable it does nothing.
 */
export function crashPoint(point: CrashPoint): void {
  if (point !== armedPoint) return;
  passesLeft -= 1;
  if (passesLeft > 0) return;
  process.kill(process.pid, 'SIGKILL');
  // Not one more line may run until the signal has arrived.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

/** Says in the log of a process that it will end itself. Call it at start. */
export function warnOfCrashPoint(log: { warn(message: string): void }): void {
  if (armed === undefined) return;
  log.warn(
    `HOLDFAST_CRASH_POINT is set: this process kills itself at pass ${armed.pass} of "${armed.point}". It is for tests only; unset it anywhere else`,
  );
}

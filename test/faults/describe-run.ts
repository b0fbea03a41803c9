import { type Call, nameOf, shortNameOf, type Violation } from './history.ts';
import type { Run } from './run-scenario.ts';

const AROUND = 12;
const SHOWN = 5;

/** What happened to an entry around a violation, oldest first; `>` marks the calls that show it. */
function describeViolation(run: Run, violation: Violation): string {
  const zero = run.history[0]?.start ?? 0;
  const calls = run.history
    .filter((call) => nameOf(call) === nameOf(violation))
    .toSorted((a, b) => a.start - b.start);
  const marked = calls.flatMap((call, i) => (violation.calls.includes(call) ? [i] : []));
  const first = Math.max(0, Math.min(...marked, calls.length) - AROUND);
  const last = Math.min(calls.length, Math.max(...marked, 0) + AROUND + 1);
  const near = marked.length === 0 ? calls.slice(-2 * AROUND) : calls.slice(first, last);
  const final = run.final.find((entry) => nameOf(entry) === nameOf(violation));
  const ms = (at: number) => (at - zero).toFixed(0).padStart(6);
  return [
    `${violation.rule}: ${shortNameOf(violation)}: ${violation.message}`,
    `  outage ${ms(run.outage.from)} … ${ms(run.outage.to)}${run.losses
      .map((loss) => `; memory lost ${ms(loss.from)} … ${ms(loss.to)}`)
      .join('')}`,
    ...near.map((call) => `${violation.calls.includes(call) ? '> ' : '  '}${line(call, ms)}`),
    `  at the end: ${JSON.stringify({ ...final, key: undefined })}`,
  ].join('\n');
}

function line(call: Call, ms: (at: number) => string): string {
  const condition =
    call.condition === undefined
      ? ''
      : 'ifVersion' in call.condition
        ? ` if ${call.condition.ifVersion}`
        : ' if absent';
  const what = `${call.operation} ${call.token ?? call.by ?? ''}${condition}`;
  const result =
    call.outcome === 'ok'
      ? `${call.level ?? ''} ${call.version ?? ''} ${call.operation === 'read' || call.by !== undefined ? (call.value ?? 'nothing') : ''}`
      : `${call.outcome} ${call.code}`;
  return `${ms(call.start)} …${ms(call.end)}  client ${call.client} API ${call.api}  ${what} → ${result}`;
}

/** The first violations of a run, and how to see them again. */
export function describeRun(run: Run, logs: string): string {
  const { scenario, seed, problems } = run.result;
  const shown = run.violations.slice(0, SHOWN).map((violation) => describeViolation(run, violation));
  return [
    `${scenario}, seed ${seed}: ${problems.length} problems`,
    ...problems.slice(0, 20).map((problem) => `- ${problem}`),
    ...shown,
    `logs: ${logs}`,
    `again: npm run test:faults -- --scenario ${scenario} --from ${seed} --seeds 1`,
  ].join('\n');
}

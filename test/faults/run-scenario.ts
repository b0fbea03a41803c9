import { setTimeout as sleep } from 'node:timers/promises';
import { createRandom } from '../../dev/random.ts';
import { until } from '../../dev/until.ts';
import { apparentAbsences } from './apparent-absences.ts';
import { type Bed, REQUEST_DEADLINE_MS } from './bed.ts';
import { copyIsCurrent } from './check-final.ts';
import { check } from './checker.ts';
import { COLLECTIONS, DURABLE } from './collections.ts';
import {
  type Absence,
  type Call,
  type Decision,
  type FinalEntry,
  type MemoryLoss,
  nameOf,
  shortNameOf,
  type Violation,
} from './history.ts';
import { CUT_OFF, NEVER_REACHED, NO_ANSWER } from './outcome.ts';
import type { FaultContext, Scenario } from './scenario.ts';
import { drained, finalStates } from './settle.ts';
import { startWorkload, type Workload } from './workload.ts';

const CLIENTS = 24;
const KEYS = 20;
const HEALED_MS = 30_000;
const STARVED =
  'Redis did not answer a process in time, apart from the fault: only that explains what was observed';

export interface RunResult {
  readonly scenario: string;
  readonly seed: number;
  /**
   * `void`: the run says nothing. The fault did not fire, or too little succeeded while it lasted; or Redis did not answer a
   * process in time, which was no fault of the run's, and what was observed is documented for that.
   */
  readonly outcome: 'passed' | 'violated' | 'void';
  readonly calls: Readonly<Record<Call['outcome'], number>>;
  /** How often each code other than success was answered. */
  readonly codes: Readonly<Record<string, number>>;
  /** Whether the fault really happened, and ended, while enough succeeded. */
  readonly fired: boolean;
  /** Calls that succeeded during the outage, and its length. */
  readonly during: number;
  readonly outageMs: number;
  readonly ms: number;
  /** Where the time of the run went, in ms. */
  readonly phases: Readonly<Record<string, number>>;
  readonly problems: readonly string[];
}

/** A run with all that is needed to explain it. */
export interface Run {
  readonly result: RunResult;
  readonly history: readonly Call[];
  readonly losses: readonly MemoryLoss[];
  readonly absences: readonly Absence[];
  readonly decisions: readonly Decision[];
  readonly final: readonly FinalEntry[];
  readonly outage: { readonly from: number; readonly to: number };
  readonly violations: readonly Violation[];
}

/** Runs one scenario with one seed: load, fault, healing, drain, judgement. The bed is as good as new after a run that passed. */
export async function runScenario(
  bed: Bed,
  scenario: Scenario,
  seed: number,
  options: { readonly scale: number },
): Promise<Run> {
  const random = createRandom(`${scenario.name}/${seed}`);
  const prefix = `${scenario.name}-${seed}-`;
  const began = performance.now();
  const phases: Record<string, number> = {};
  let phaseBegan = began;
  const phase = (name: string) => {
    phases[name] = Math.round(performance.now() - phaseBegan);
    phaseBegan = performance.now();
  };
  const losses: MemoryLoss[] = [];
  const absences: Absence[] = [];
  const decisions: Decision[] = [];
  const problems: string[] = [];
  let from: number | undefined;
  let to: number | undefined;
  let workload: Workload | undefined;
  const context: FaultContext = {
    bed,
    prefix,
    random: random.fork('fault'),
    get calls() {
      return workload?.calls ?? [];
    },
    async pause(minMs, maxMs) {
      await sleep(context.random.int(minMs, maxMs) * options.scale);
    },
    begin() {
      from = performance.now();
    },
    end() {
      to = performance.now();
    },
    async losingMemory(work) {
      const start = performance.now();
      try {
        return await work();
      } finally {
        losses.push({ from: start, to: performance.now() });
      }
    },
    async redisAway(work, api) {
      const start = performance.now();
      try {
        return await work();
      } finally {
        const cutOff = bed.apis.filter((_, index) => api === undefined || index === api);
        await Promise.all(cutOff.map(({ url }) => usesRedis(url, prefix))).catch((error: Error) =>
          problems.push(error.message),
        );
        absences.push({ from: start, to: performance.now(), ...(api === undefined ? {} : { api }) });
      }
    },
    decided: (decision) => decisions.push(decision),
    complain: (message) => problems.push(message),
  };

  await scenario.prepare?.(context);
  workload = startWorkload({
    random: random.fork('workload'),
    prefix,
    clients: scenario.workload?.clients ?? CLIENTS,
    keysPerCollection: KEYS,
    urls: () => bed.apis.map(({ url }) => url),
    requestDeadlineMs: Number(scenario.bed.settings?.REQUEST_DEADLINE_MS ?? REQUEST_DEADLINE_MS),
    ...scenario.workload,
  });
  try {
    await scenario.fault(context);
    phase('fault');
    await healed(workload.calls, bed.apis.length, performance.now()).catch((error: Error) =>
      problems.push(error.message),
    );
  } finally {
    await workload.stop();
  }
  phase('healing');
  problems.push(...endedByThemselves(bed));
  const history = workload.calls;
  await drained(bed).catch((error: Error) => problems.push(error.message));
  phase('drain');
  const names = [...new Map(history.map((call) => [nameOf(call), call])).values()];
  const final = await agreeingStates(bed, names);
  phase('final states');
  await scenario.afterwards?.(context);
  phase('afterwards');

  const observed = { calls: history, durable: DURABLE, losses, absences, decisions, final };
  const violations = check(observed);
  problems.push(...wrongAnswers(scenario, history));
  // The machine did more to the run than its fault: no pass, and no verdict either.
  const apart = [...absences, ...apparentAbsences(history)];
  const starved =
    violations.length > 0 && problems.length === 0 && check({ ...observed, absences: apart }).length === 0;
  problems.push(...violations.map(text));
  if (starved) problems.unshift(STARVED);
  const outage = { from: from ?? 0, to: to ?? 0 };
  const during = history.filter(
    (call) => call.outcome === 'ok' && call.start >= outage.from && call.end <= outage.to,
  ).length;
  const fired = from !== undefined && to !== undefined && during >= scenario.minimumDuring;
  return {
    history,
    losses,
    absences,
    decisions,
    final,
    outage,
    violations,
    result: {
      scenario: scenario.name,
      seed,
      outcome: starved ? 'void' : problems.length > 0 ? 'violated' : fired ? 'passed' : 'void',
      calls: count(history),
      codes: codesOf(history),
      fired,
      during,
      outageMs: Math.round(outage.to - outage.from),
      ms: Math.round(performance.now() - began),
      phases,
      problems,
    },
  };
}

/** What is left, once Redis has been told of every write around it; or after a while as it is, for the checker to judge. */
async function agreeingStates(bed: Bed, names: readonly Call[]): Promise<readonly FinalEntry[]> {
  const end = performance.now() + HEALED_MS;
  for (;;) {
    const states = await finalStates(bed, names);
    if (states.every(copyIsCurrent) || performance.now() > end) return states;
    await sleep(500);
  }
}

/** A scenario replaces what it ends: no process may be gone now. */
function endedByThemselves(bed: Bed): readonly string[] {
  return [...bed.apis.map(({ child }) => child), ...bed.workers]
    .filter((child) => !child.running())
    .map((child) => `the process ${child.name} ended by itself:\n${child.lastOutput()}`);
}

/** Waits until a process has written to Redis again. @throws Error when it does not. */
async function usesRedis(url: string, prefix: string): Promise<void> {
  const write = async () => {
    const answer = await fetch(`${url}/v1/collections/carts/entries/${prefix}probe`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', prefer: 'durability=cached' },
      body: '1',
    });
    const receipt = (await answer.json()) as { version: number };
    // What goes around Redis succeeds, too, with an odd version.
    return answer.ok && receipt.version % 2 === 0;
  };
  await until(write, { what: `${url} to write to Redis again`, timeoutMs: HEALED_MS });
}

/** Nothing needs a restart by hand: each kind of write succeeds again, through every process. */
async function healed(calls: readonly Call[], apis: number, since: number): Promise<void> {
  const missing = () => {
    const left: string[] = [];
    for (let api = 0; api < apis; api++) {
      for (const collection of COLLECTIONS) {
        const works = calls.some(
          (call) =>
            call.start > since &&
            call.api === api &&
            call.collection === collection &&
            call.operation !== 'read' &&
            call.outcome === 'ok' &&
            (collection === 'page-views' || call.level !== 'cached'),
        );
        if (!works) left.push(`${collection} through API ${api}`);
      }
    }
    return left;
  };
  try {
    await until(() => missing().length === 0, { what: 'healing', timeoutMs: HEALED_MS, everyMs: 50 });
  } catch {
    throw new Error(`not healed after ${HEALED_MS / 1_000} s: no write to ${missing().join(', ')}`);
  }
}

/** Answers that no outage excuses. */
function wrongAnswers(scenario: Scenario, calls: readonly Call[]): readonly string[] {
  const { poison, bodyBytes } = scenario.workload ?? {};
  const asked = [
    ...(poison === undefined ? [] : ['400 invalid-request']),
    ...(bodyBytes === undefined ? [] : ['413 value-too-large']),
  ];
  const wrong = calls.filter(({ outcome, code }) => {
    if (outcome === 'ok') return false;
    if (scenario.allowedFailures !== undefined) return !scenario.allowedFailures.includes(code);
    if (/^5\d\d internal|no-problem-details|^undefined/.test(code) || code === NO_ANSWER) return true;
    const documented = /^(503|504|412|409) /.test(code) || [NEVER_REACHED, ...CUT_OFF].includes(code);
    return !documented && !asked.includes(code);
  });
  return Object.entries(codesOf(wrong)).map(([code, times]) => {
    const first = wrong.find((call) => call.code === code);
    return `${times} times ${code}, first a ${first?.operation} of ${first?.collection}/${first?.key}: ${first?.detail}`;
  });
}

function count(calls: readonly Call[]): RunResult['calls'] {
  const counts = { ok: 0, failed: 0, unknown: 0 };
  for (const { outcome } of calls) counts[outcome]++;
  return counts;
}

function codesOf(calls: readonly Call[]): Record<string, number> {
  const codes: Record<string, number> = {};
  for (const { outcome, code } of calls) if (outcome !== 'ok') codes[code] = (codes[code] ?? 0) + 1;
  return codes;
}

function text(violation: Violation): string {
  return `${violation.rule}: ${shortNameOf(violation)}: ${violation.message}`;
}

import { Problem } from '../../dev/problem.ts';
import type { Contender } from '../contenders.ts';
import type { LoadProcess } from '../load-process.ts';
import { measure } from '../measure.ts';
import type { Measurement } from '../measure-run.ts';
import { SMALL } from '../scenarios.ts';
import { measureProbe, PROBES, type Probe, type Subject, type Timing } from './probes.ts';

/** Each figure is measured so often at each step. */
export const ROUNDS = 3;
const REFERENCE_CLIENTS = 64;

/** What is measured with how many clients. */
export interface Planned {
  readonly probe: Probe;
  readonly clients: number;
}

/** One measurement, at one step of what grows. */
export interface Sample extends Planned {
  /** As the table shows it: "10,000". */
  readonly step: string;
  readonly measurement: Measurement;
  /** Requests/s of peer (a) just before, always with the same load: how fast the machine was. */
  readonly reference: number;
}

/** Measures each of the planned once, and the reference before each. @throws Problem where writes did not reach PostgreSQL */
export async function takeSamples(
  step: string,
  plan: readonly Planned[],
  { subject, reference, load, timing }: Bench,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const { probe, clients } of plan) {
    const before = await measureReference(reference, load, timing);
    const measurement = await measureProbe(probe, subject, { ...timing, clients }, load);
    const { backlog } = measurement;
    if (backlog !== undefined && backlog.seconds === undefined) {
      throw new Problem(
        `${step}, ${PROBES[probe]}: acknowledged writes did not reach PostgreSQL within a minute`,
      );
    }
    samples.push({ step, probe, clients, measurement, reference: before });
  }
  return samples;
}

/** What samples are taken of, and with. */
export interface Bench {
  readonly subject: Subject;
  readonly reference: Contender;
  readonly load: LoadProcess;
  readonly timing: Timing;
}

/** Requests/s of peer (a). Its Redis is emptied before: what the others are compared with must not grow itself. */
async function measureReference(reference: Contender, load: LoadProcess, timing: Timing): Promise<number> {
  await reference.system.redis?.flushall();
  const scenario = { workload: 'put', clients: REFERENCE_CLIENTS, bytes: SMALL } as const;
  const cell = { scenario, contender: reference, round: 0 };
  const { perSecond } = await measure(cell, load, { ...timing, rate: undefined });
  return perSecond;
}

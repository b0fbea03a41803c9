import { FLAG, integerOf, numberOf, oneOf, parsed, TEXT } from '../../dev/arguments.ts';
import type { Scenario } from './scenario.ts';
import { SCENARIOS } from './scenarios/all.ts';

export interface FaultOptions {
  readonly scenarios: readonly Scenario[];
  readonly seeds: readonly number[];
  readonly scale: number;
  readonly resume: boolean;
  readonly histories: boolean;
  /** What is printed instead of running anything. */
  readonly only: 'list' | 'report' | undefined;
}

export const USAGE = `usage: npm run test:faults -- [options]
  --seeds N        how many seeds of each scenario (3)
  --from SEED      the first seed (1)
  --scenario NAME  only this one; may be repeated
  --scale X        times every outage and pause (1)
  --resume         skip what passed before with this very build
  --histories      keep the calls of every run in .holdfast/faults, not only of those that failed
  --list           name the scenarios and what they promise
  --report         run nothing; print what all sessions recorded for this build, as Markdown`;

const OPTIONS = {
  seeds: TEXT,
  from: TEXT,
  scale: TEXT,
  scenario: { type: 'string', multiple: true },
  resume: FLAG,
  histories: FLAG,
  list: FLAG,
  report: FLAG,
} as const;

/** What these arguments ask for; `undefined`: only the usage. @throws UsageProblem */
export function readOptions(args: readonly string[]): FaultOptions | undefined {
  const values = parsed(args, OPTIONS);
  if (values.help) return undefined;
  const named = values.scenario?.map(
    oneOf(
      'scenario',
      SCENARIOS.map(({ name }) => name),
    ),
  );
  const seeds = integerOf('seeds', values.seeds ?? '3', 1, 10_000);
  const from = integerOf('from', values.from ?? '1', 0, 1_000_000_000);
  return {
    scenarios: SCENARIOS.filter(({ name }) => named?.includes(name) ?? true),
    seeds: Array.from({ length: seeds }, (_, i) => from + i),
    scale: numberOf('scale', values.scale ?? '1', 0.01, 100),
    resume: values.resume,
    histories: values.histories,
    only: values.list ? 'list' : values.report ? 'report' : undefined,
  };
}

import { type Bar, barChart } from './bar-chart.ts';
import { digits } from './format.ts';
import type { ContenderId, Workload } from './names.ts';
import { type Outcome, series, summedUp } from './outcome.ts';
import { type Scenario, SMALL } from './scenarios.ts';
import { ratios } from './statistics.ts';
import { bySystem, titleOf } from './tables.ts';

export interface Chart {
  /** Its file, and the words for whoever does not see it. */
  readonly name: string;
  readonly title: string;
  readonly svg: string;
}

/** Of each of these workloads there is a chart, where it was measured, with that number of clients. */
const CHARTED: readonly (readonly [workload: Workload, clients: number])[] = [
  ['put', 64],
  ['put', 1_024],
  ['increment', 512],
  ['mixed', 64],
  ['get', 64],
  ['cold', 64],
];

const isOwn = (id: ContenderId | undefined) => id !== undefined && id.length > 1;

export function chartsOf(outcomes: readonly Outcome[]): Chart[] {
  const speed = CHARTED.flatMap(([workload, clients]) => {
    return speedChart(outcomes, { workload, clients, bytes: SMALL }) ?? [];
  });
  return [...speed, lagChart(outcomes, { workload: 'put', clients: 64, bytes: SMALL }) ?? []].flat();
}

/** Requests/s of each system for one of (b), where that took part, else of (a). */
function speedChart(outcomes: readonly Outcome[], scenario: Scenario): Chart | undefined {
  const systems = [...bySystem(outcomes, scenario).values()];
  const of = (wanted: ContenderId) => systems.find(([first]) => first?.id === wanted);
  const base = of('b') ?? of('a');
  if (base === undefined) return undefined;
  const perSecond = (all: readonly Outcome[]) => series(all, (m) => m.perSecond);
  const bars = systems.flatMap((all): Bar[] => {
    const times = ratios(perSecond(all), perSecond(base));
    const speed = summedUp(perSecond(all));
    if (times === undefined || speed === undefined) return [];
    const text = `${digits(times.median)} × (${digits(speed.median)}/s)`;
    return [{ label: all[0]?.name ?? '', value: times.median, text, own: isOwn(all[0]?.id) }];
  });
  const title = titleOf(scenario);
  const subtitle = `Requests/s, as a multiple of those of (${base[0]?.id}); medians`;
  const name = `bench-${scenario.workload}-${scenario.clients}`;
  return { name, title, svg: barChart({ title, subtitle, bars }) };
}

/** How long the rows of each system that writes behind let wait for them. */
function lagChart(outcomes: readonly Outcome[], scenario: Scenario): Chart | undefined {
  const bars = [...bySystem(outcomes, scenario).values()].flatMap((all): Bar[] => {
    const median = summedUp(series(all, ({ lag }) => lag?.p50));
    const most = summedUp(series(all, ({ lag }) => lag?.p99));
    if (median === undefined || most === undefined) return [];
    const text = `${digits(median.median)} / ${digits(most.median)} ms`;
    return [{ label: all[0]?.name ?? '', value: most.median, text, own: isOwn(all[0]?.id) }];
  });
  if (bars.length === 0) return undefined;
  const title = `From acknowledgement to row: ${titleOf(scenario)}`;
  const subtitle = 'p50 / p99 in ms, the bar is the p99; medians';
  return { name: 'bench-lag', title, svg: barChart({ title, subtitle, bars }) };
}

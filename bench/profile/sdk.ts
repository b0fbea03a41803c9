import { digits, table } from '../format.ts';
import { parseExposition, type Sample } from './exposition.ts';

/** What tells one call from another. Queue, namespace and the like are the same for all. */
const TELLING = ['operation', 'activity_type', 'workflow_type', 'worker_type', 'poller_type', 'eager'];

/** All that the Temporal SDK of a worker process counts, in the text format of Prometheus. */
export async function readSdk(url: string): Promise<string> {
  return await (await fetch(url)).text();
}

/** What it measured in between: how often and how long, by kind of call; then what it counted; then what stands now. */
export function sdkSection(before: string, after: string): string {
  const earlier = new Map(parseExposition(before).map((sample) => [identity(sample), sample.value]));
  const samples = parseExposition(after).filter(({ name }) => name.startsWith('temporal_'));
  const growth = samples.map((sample) => ({
    ...sample,
    value: sample.value - (earlier.get(identity(sample)) ?? 0),
  }));
  const durations = durationsOf(growth);
  const counters = growth.filter(({ name, value }) => name.endsWith('_total') && value > 0);
  const gauges = samples.filter(({ name }) => !/_(total|sum|count|bucket)$/.test(name));
  const lines = (of: readonly Sample[]) => of.map((sample) => [titleOf(sample), digits(sample.value)]);
  return [
    '## Temporal SDK of the worker',
    table(['measured', 'times', 'mean ms', 'sum s'], durations),
    table(['counted', 'times'], lines(counters)),
    table(['now', 'value'], lines(gauges)),
  ].join('\n\n');
}

function durationsOf(growth: readonly Sample[]): string[][] {
  const counts = new Map(growth.map((sample) => [identity(sample), sample.value]));
  return growth
    .filter(({ name }) => name.endsWith('_seconds_sum'))
    .map((sum) => {
      const count = counts.get(identity({ ...sum, name: sum.name.replace(/_sum$/, '_count') })) ?? 0;
      return { title: titleOf(sum).replace('_seconds_sum', ''), seconds: sum.value, count };
    })
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.seconds - a.seconds)
    .map(({ title, seconds, count }) => [
      title,
      count.toLocaleString('en-US'),
      digits((seconds * 1_000) / count),
      digits(seconds),
    ]);
}

function identity({ name, labels }: Pick<Sample, 'name' | 'labels'>): string {
  return `${name} ${JSON.stringify(Object.entries(labels).sort())}`;
}

/** `temporal_request_latency RespondWorkflowTaskCompleted` */
function titleOf({ name, labels }: Sample): string {
  return [name.replace(/^temporal_/, ''), ...TELLING.flatMap((label) => labels[label] ?? [])].join(' ');
}

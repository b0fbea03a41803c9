import { Counter, Histogram, type Registry } from 'prom-client';
import { SHORT_SECONDS } from './buckets.ts';
import type { HttpMetrics } from './metrics.ts';

/** The codes that alerts and dashboards look at: a series that appears with its first count has no increase yet. */
const FROM_THE_START = [
  'queue-full',
  'draining',
  'dependency-unavailable',
  'rate-limited',
  'outcome-unknown',
  'internal',
  'overloaded',
];

/** Requests by route, and the problems that were answered. */
export function createHttpMetrics(registry: Registry): Pick<HttpMetrics, 'route' | 'problem'> {
  const registers = [registry];
  const requests = new Histogram({
    name: 'holdfast_http_request_duration_seconds',
    help: 'Requests by the template of their route ("none" where there is none), method and status.',
    labelNames: ['route', 'method', 'status'],
    buckets: SHORT_SECONDS,
    registers,
  });
  const problems = new Counter({
    name: 'holdfast_http_problems_total',
    help: 'Problems answered, by their code: rate-limited, queue-full, outcome-unknown and so on.',
    labelNames: ['code'],
    registers,
  });
  for (const code of FROM_THE_START) problems.inc({ code }, 0);

  return {
    problem: (code) => problems.inc({ code }),
    route(method, template) {
      type Observe = (seconds: number) => void;
      const byStatus = new Map<number, Observe>();
      const observerOf = (status: number): Observe => {
        const { observe } = requests.labels(template, method, String(status));
        byStatus.set(status, observe);
        return observe;
      };
      return (status, seconds, problem) => {
        (byStatus.get(status) ?? observerOf(status))(seconds);
        if (problem !== undefined) problems.inc({ code: problem });
      };
    },
  };
}

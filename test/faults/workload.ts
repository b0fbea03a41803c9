import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../dev/random.ts';
import { callsOf } from './answers.ts';
import { type Call, nameOf } from './history.ts';
import { createHttpClient } from './http-client.ts';
import { NEVER_REACHED } from './outcome.ts';
import { nextCall, type Plan } from './plan.ts';
import { requestOf } from './requests.ts';
import type { WorkloadOptions } from './workload-options.ts';

/** Beyond the deadline of a request, its grace, and what a busy machine adds. */
const SLACK_MS = 5_000;
const THINK_MS = [8, 40] as const;
const MOST_SENDS = 8;
const REPEAT_MS = [50, 400] as const;

export interface Workload {
  /** Grows while it runs. A call is added when it has ended. */
  readonly calls: readonly Call[];
  /** Lets every client finish its call. */
  stop(): Promise<void>;
}

/**
 * Clients that each send one call after the other. What they do is the seed's decision; only which versions their
 * conditions name depends on what they have seen.
 */
export function startWorkload(options: WorkloadOptions): Workload {
  const calls: Call[] = [];
  const lastSeen = new Map<string, number | null>();
  const http = createHttpClient({ keepAlive: options.keepAlive ?? true });
  let stopping = false;

  async function send(client: number, api: number, plan: Plan): Promise<readonly [Call, ...Call[]]> {
    const { path, ...request } = requestOf(plan);
    const start = performance.now();
    const answer = await http.send({
      ...request,
      url: `${options.urls()[api] ?? ''}${path}`,
      timeoutMs: options.requestDeadlineMs + SLACK_MS,
    });
    return callsOf(plan, { client, api, start, end: performance.now() }, answer);
  }

  /** As one call from its first start to its last end: whether it happened is known once one of them has an answer. */
  async function sendUntilKnown(client: number, random: Random, plan: Plan): Promise<readonly Call[]> {
    const anyApi = () => random.int(0, options.urls().length - 1);
    const calls = await send(client, anyApi(), plan);
    if (plan.idempotencyKey === undefined) return calls;
    const [first] = calls;
    let last = first;
    let sent = 1;
    for (; last.outcome !== 'ok' && sent < MOST_SENDS; sent++) {
      // What certainly did not happen, however often it was sent, is what any other client gives up.
      if (first.outcome === 'failed') break;
      await sleep(random.int(...REPEAT_MS));
      [last] = await send(client, anyApi(), plan);
    }
    // One try that failed does not tell what became of the tries before it.
    const outcome = last.outcome === 'ok' ? 'ok' : first.outcome;
    return [{ ...last, start: first.start, outcome, sent }];
  }

  async function run(client: number): Promise<void> {
    const random = options.random.fork(`client ${client}`);
    for (let n = 0; !stopping; n++) {
      const plan = nextCall(random, client, n, options, lastSeen);
      const ended = await sendUntilKnown(client, random, plan);
      calls.push(...ended);
      for (const call of ended.filter(({ outcome }) => outcome === 'ok')) {
        lastSeen.set(nameOf(call), call.operation === 'delete' ? null : (call.version ?? null));
      }
      // Clients that are turned away at once would otherwise do nothing but come back.
      const turnedAway = ended.find(({ outcome }) => outcome !== 'ok');
      const patience = turnedAway === undefined ? 0 : turnedAway.code === NEVER_REACHED ? 20 : 60;
      await sleep(random.int(...THINK_MS) + patience);
    }
  }

  const running = Array.from({ length: options.clients }, (_, client) => run(client));
  return {
    calls,
    async stop() {
      stopping = true;
      await Promise.all(running);
      http.close();
    },
  };
}

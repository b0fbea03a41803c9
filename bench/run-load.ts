import { type LoadConnection, openConnection } from './load-connection.ts';
import type { LoadRequest, LoadResult } from './load-messages.ts';
import { requestText } from './request-text.ts';
import { createTally } from './tally.ts';

/** How long the last requests may take after the end. Longer than any server under test lets one take. */
const PATIENCE_MS = 20_000;
/** Connections that are opened at the same time: a server's listen queue is not endless. */
const OPENING = 64;

/**
 * Sends requests over `clients` connections for the warm-up and the measured time, then waits for those under way. In
 * the closed loop a slow answer keeps its connection from sending the next: latencies are those of clients that wait. With a
 * rate, requests are due on schedule and their latencies count from then, also where no connection was free.
 */
export async function runLoad(request: LoadRequest): Promise<LoadResult> {
  const { ports, clients, warmupMs, measureMs, rate, total = Number.POSITIVE_INFINITY } = request;
  const textOf = requestText(request.shape);
  const tally = createTally(request.shape);
  const connections = new Set<LoadConnection>();
  const idle: LoadConnection[] = [];
  /** When requests were due that no connection was free for. */
  const due: number[] = [];
  let sent = 0;
  let inFlight = 0;
  let stopped = false;
  let finished = () => {};
  const done = new Promise<void>((resolve) => {
    finished = resolve;
  });
  let measureFrom = Number.POSITIVE_INFINITY;
  let measureUntil = Number.POSITIVE_INFINITY;
  const { fail } = tally;

  function send(connection: LoadConnection, startedAt: number): void {
    connection.startedAt = startedAt;
    inFlight += 1;
    const { text, writes } = textOf(sent);
    connection.n = sent;
    connection.writes = writes;
    connection.send(text);
    sent += 1;
  }
  /** A connection has nothing to do. */
  function next(connection: LoadConnection, now: number): void {
    if (stopped || sent >= total) {
      if (inFlight === 0) finished();
    } else if (rate === undefined) {
      send(connection, now);
    } else {
      const dueAt = due.shift();
      if (dueAt === undefined) idle.push(connection);
      else send(connection, dueAt);
    }
  }
  const events = {
    answered(connection: LoadConnection, status: number, text: string) {
      const now = performance.now();
      inFlight -= 1;
      const counts = now >= measureFrom && now < measureUntil;
      if (status < 400) tally.succeed(connection, text, counts ? now - connection.startedAt : undefined);
      else fail(String(status));
      next(connection, now);
    },
    broken(connection: LoadConnection, busy: boolean) {
      connections.delete(connection);
      const at = idle.indexOf(connection);
      if (at >= 0) idle.splice(at, 1);
      if (busy) {
        inFlight -= 1;
        fail('connection broken');
      }
      if (stopped) {
        if (inFlight === 0) finished();
        return;
      }
      open().catch(() => fail('cannot connect'));
    },
  };
  /** A connection that takes another's place goes to the next port, as a load balancer would have it. */
  let opened = 0;
  async function open(): Promise<void> {
    const port = ports[opened % ports.length] ?? 0;
    opened += 1;
    const connection = await openConnection(port, events);
    connections.add(connection);
    next(connection, performance.now());
  }

  while (opened < clients) {
    await Promise.all(Array.from({ length: Math.min(OPENING, clients - opened) }, open));
  }
  const begin = performance.now();
  measureFrom = begin + warmupMs;
  measureUntil = measureFrom + measureMs;
  let scheduled = 0;
  const pacer =
    rate === undefined
      ? undefined
      : setInterval(() => {
          const until = Math.min(performance.now(), measureUntil);
          for (; begin + (scheduled * 1_000) / rate <= until; scheduled += 1) {
            const dueAt = begin + (scheduled * 1_000) / rate;
            const connection = idle.pop();
            if (connection === undefined) due.push(dueAt);
            else send(connection, dueAt);
          }
        }, 1);

  await Promise.race([delay(warmupMs), done]);
  const cpuBefore = process.cpuUsage();
  await Promise.race([delay(measureUntil - performance.now()), done]);
  const cpu = process.cpuUsage(cpuBefore);
  const measuredMs = Math.min(performance.now(), measureUntil) - measureFrom;
  stopped = true;
  clearInterval(pacer);
  if (due.length > 0) fail('due and not sent', due.length);
  if (inFlight > 0) await Promise.race([delay(PATIENCE_MS), done]);
  if (inFlight > 0) fail('no answer', inFlight);
  for (const connection of connections) connection.close();
  return tally.result({
    measuredMs,
    ownCpu: measuredMs > 0 ? (cpu.user + cpu.system) / 1_000 / measuredMs : 0,
  });
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}

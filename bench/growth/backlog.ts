import { Problem } from '../../dev/problem.ts';
import { holdfastContenders } from '../contenders.ts';
import { progress } from '../entry.ts';
import { digits } from '../format.ts';
import { requestShape } from '../request-shape.ts';
import { type Holdfast, startHoldfast } from '../start-holdfast.ts';
import { BACKLOG_BYTES, BACKLOG_PREFIX, backlogIdBytes } from './backlog-entries.ts';
import { type BacklogFound, backlogSection } from './backlog-section.ts';
import { drain } from './drain.ts';
import { footprint } from './footprint.ts';
import { loseMemory, type Recovered } from './lost-memory.ts';
import { partitionsFor } from './partitions.ts';
import { queueOf, untilInTemporal } from './queue.ts';
import { nextNumber, type Setting, using } from './setting.ts';
import { verify } from './verify.ts';

const CLIENTS = 16;
/** Far beyond what a backlog takes. */
const FILL_LIMIT_MS = 1_200_000;

/**
 * What a backlog costs while it waits, when Redis loses its memory, and when it is carried: the section of the report.
 * @throws Problem where anything that was acknowledged is lost or wrong.
 */
export async function measureBacklog(setting: Setting): Promise<string> {
  const { services, options } = setting;
  const writes = options.backlog;
  const partitions = partitionsFor(writes, backlogIdBytes(writes), BACKLOG_BYTES);
  // Only full batches: small ones would use the slots up, which is right where a worker empties them.
  const settings = { PARTITIONS: String(partitions), FLUSH_INTERVAL_MS: '60000' };
  const starting = startHoldfast(services, { number: nextNumber(), settings, workers: 0 });
  return await using(starting, async (holdfast) => {
    const base = `http://127.0.0.1:${holdfast.ports[0]}`;
    const before = await footprint(services, holdfast);
    progress(`backlog: ${writes.toLocaleString('en-US')} writes into ${partitions} partitions`);
    const begin = performance.now();
    const acknowledged = await fill(setting, holdfast);
    const acknowledgedMs = performance.now() - begin;
    const inTemporalMs = (await untilInTemporal(base)) - begin;
    const waiting = (await queueOf(base)).pendingEntries;
    if (acknowledged !== writes || waiting !== writes) {
      throw new Problem(`of ${writes} writes ${acknowledged} were acknowledged and ${waiting} wait`);
    }
    const after = await footprint(services, holdfast);
    if (after.rows > 0) throw new Problem(`${after.rows} rows are in PostgreSQL before there is a worker`);

    // Also told at once: should what comes now fail, there is no table.
    progress(
      `backlog: all in Temporal after ${seconds(inTemporalMs)} s; Redis loses its memory, without a worker`,
    );
    const recovered = await loseMemory(holdfast, { base, partitions, round: 'waiting' });
    progress(`backlog: the last partition answered after ${seconds(longestOf(recovered))} s`);
    // What is only cached would be lost with the next loss, and rightly so.
    await untilInTemporal(base);
    progress('backlog: a worker starts, and Redis loses its memory again');
    const drained = await drain(holdfast, { base, partitions });
    progress(
      `backlog: the last one answered after ${seconds(longestOf(drained.recovered))} s this time, all was persisted after ${seconds(drained.allMs)} s`,
    );
    progress('backlog: comparing what is in PostgreSQL with what was written');
    await verify(holdfast, { base, writes, probes: 2 * partitions });
    const found: BacklogFound = {
      ...{ writes, partitions, acknowledgedMs, inTemporalMs, before, after, recovered, drained },
      drainedTo: await footprint(services, holdfast),
    };
    return backlogSection(found);
  });
}

const seconds = (ms: number) => digits(ms / 1_000);

function longestOf(recovered: readonly Recovered[]): number {
  return Math.max(...recovered.map(({ writeMs, readMs }) => Math.max(writeMs, readMs)));
}

/** Writes the whole backlog through `/v1/batch`. Answers how many writes were acknowledged. @throws Problem where any was refused */
async function fill({ load, options }: Setting, holdfast: Holdfast): Promise<number> {
  const [contender] = holdfastContenders(holdfast, ['cached']);
  if (contender === undefined) throw new Error('Holdfast is not measured as "cached"');
  const shape = requestShape('batch', contender, BACKLOG_PREFIX, BACKLOG_BYTES);
  const { acknowledged, errors } = await load.run({
    ports: holdfast.ports,
    clients: CLIENTS,
    warmupMs: 0,
    measureMs: FILL_LIMIT_MS,
    total: options.backlog / shape.batch,
    shape,
  });
  const refused = Object.entries(errors).map(([reason, times]) => `${times} × ${reason}`);
  if (refused.length > 0) throw new Problem(`the backlog could not be written: ${refused.join(', ')}`);
  return acknowledged;
}

import { LOST_REMEDY } from './batch-words.ts';
import type { Connection } from './follow.ts';
import { count, counted, duration } from './format.ts';
import { unknownInWords, waitingInWords } from './summary-words.ts';
import type { Dependency, Summary } from './wire.ts';

/** `good`: nothing to do. `busy`: writes are on their way. `warn`: a person should decide something. `bad`: act. */
export type Level = 'good' | 'busy' | 'warn' | 'bad' | 'unknown';

export interface Verdict {
  readonly level: Level;
  /** One sentence for the top of the page. */
  readonly sentence: string;
  /** What more there is to say; may be empty. */
  readonly detail: string;
  /** For the title of the window. */
  readonly title: string;
  /** For a screen reader: the sentence without figures that change each second. */
  readonly spoken: string;
}

/** From here on a write that waits is no longer just on its way: as the alert HoldfastWritesNotPersisted has it, in s. */
export const LATE_S = 15;

/** What to say of a summary, or of the lack of one. `down`: the dependencies that do not answer. */
export function verdictOf(
  summary: Summary | undefined,
  connection: Connection,
  down: readonly Dependency[],
): Verdict {
  if (summary === undefined) return withoutSummary(connection);
  const known = verdictOfSummary(summary, down);
  if (connection.state !== 'lost') return known;
  return {
    level: 'unknown',
    sentence: 'The API does not answer, so nobody knows whether everything is persisted.',
    detail: `When it last answered: ${known.sentence}`,
    title: 'no answer',
    spoken: 'The API does not answer.',
  };
}

function withoutSummary(connection: Connection): Verdict {
  const lost = connection.state === 'lost';
  const sentence = lost ? 'The API does not answer.' : 'Asking whether everything is persisted…';
  const detail = lost ? connection.why : '';
  return { level: 'unknown', sentence, detail, title: lost ? 'no answer' : 'loading', spoken: sentence };
}

function verdictOfSummary(summary: Summary, down: readonly Dependency[]): Verdict {
  const { batches, notInTemporal, newestErrors, oldestAgeSeconds: age } = summary;
  if (notInTemporal > 0) return lost(summary);
  if (batches.stuck > 0) return stuck(summary, down);
  if (summary.allPersisted === true) return persisted(summary);
  if (summary.allPersisted === null && batches.retrying === 0) {
    const why = unknownInWords(summary.unknown);
    const sentence = 'Nobody can say whether everything is persisted.';
    return { level: 'unknown', sentence, detail: why, title: 'unknown', spoken: sentence };
  }
  if ((batches.retrying > 0 && newestErrors.retrying !== null) || (age ?? 0) >= LATE_S) {
    return heldUp(summary, down);
  }
  const sentence = 'Writes are on their way.';
  const detail = `${waitingInWords(summary)}.`;
  return { level: 'busy', sentence, detail, title: 'on their way', spoken: sentence };
}

/** Whoever waits here loses what could still be saved: before all else. */
function lost(summary: Summary): Verdict {
  const { notInTemporal: number, batches } = summary;
  const them = `Temporal does not know ${counted(number, 'batch', 'batches')} that Redis gave it`;
  const sentence = `${them}: ${number === 1 ? 'its' : 'their'} writes may be lost.`;
  const besides = batches.stuck === 0 ? '' : ` ${stuckInWords(summary)}.`;
  return {
    level: 'bad',
    sentence,
    detail: `${waitingInWords(summary)}. ${LOST_REMEDY}${besides}`,
    title: `${count(number)} not in Temporal`,
    spoken: sentence,
  };
}

/** Why, is for PostgreSQL to say of these very batches: what is down besides did not bring it about. */
function stuck(summary: Summary, down: readonly Dependency[]): Verdict {
  const sentence = stuckInWords(summary);
  const besides = down.length === 0 ? '' : ` Down now: ${downInWords(down)}.`;
  return {
    level: 'bad',
    sentence,
    detail: `${waitingInWords(summary)}. Mend the cause, then retry. ${safetyInWords(summary)}${besides}`,
    title: `${count(summary.batches.stuck)} stuck`,
    spoken: sentence,
  };
}

function stuckInWords({ batches, newestErrors }: Summary): string {
  const them = `${counted(batches.stuck, 'batch', 'batches')} ${batches.stuck === 1 ? 'is' : 'are'} stuck`;
  return newestErrors.stuck === null ? them : `${them}: ${errorInWords(newestErrors.stuck)}`;
}

/** What is down now comes before what an attempt met a while ago. */
function heldUp(summary: Summary, down: readonly Dependency[]): Verdict {
  const { oldestAgeSeconds: age, newestErrors, unknown } = summary;
  const { retrying } = newestErrors;
  const error = retrying === null ? '' : errorInWords(retrying);
  const cause = downInWords(down) || error || unknownInWords(unknown);
  const sentence = `Writes are not reaching PostgreSQL${cause === '' ? '' : `: ${cause}`}`;
  const isSaid = retrying === null || cause.includes(retrying.message);
  const last = isSaid ? '' : ` The last attempt that failed: ${error}.`;
  return {
    level: 'bad',
    sentence,
    detail: `${waitingInWords(summary)}. ${safetyInWords(summary)}${last}`,
    title: age === null ? 'waiting' : `waiting ${duration(age)}`,
    spoken: sentence,
  };
}

/** What waits is in Redis or Temporal: of one that did not answer nobody knows whether it lost its memory. */
function safetyInWords({ pendingEntries, unknown }: Summary): string {
  const asked = (name: Dependency['dependency']) => !unknown.some(({ dependency }) => dependency === name);
  const redis = pendingEntries !== null && asked('redis');
  const temporal = asked('temporal');
  if (redis) return temporal ? 'Nothing is lost.' : 'Whether Temporal has what it was given is not known.';
  // Batches that Temporal forgot show only where Redis names them.
  if (temporal)
    return 'What Temporal has is safe; whether that is all that was queued, and what Redis alone held, is not known.';
  return 'Whether Redis and Temporal have what they were given is not known.';
}

function persisted({ deadLetters, unknown }: Summary): Verdict {
  if (deadLetters === null) {
    const sentence = 'Everything is persisted, but nobody can say whether dead letters wait.';
    const detail = unknownInWords(unknown);
    return { level: 'unknown', sentence, detail, title: 'dead letters unknown', spoken: sentence };
  }
  const { dead } = deadLetters;
  if (dead === 0) {
    const sentence = 'Everything is persisted.';
    return { level: 'good', sentence, detail: '', title: 'all persisted', spoken: sentence };
  }
  const wait = `${counted(dead, 'dead letter')} ${dead === 1 ? 'waits' : 'wait'} for a decision`;
  const sentence = `Everything is persisted, but ${wait}.`;
  return { level: 'warn', sentence, detail: '', title: counted(dead, 'dead letter'), spoken: sentence };
}

function errorInWords({ message, type }: NonNullable<Summary['newestError']>): string {
  return `${message} (${type})`;
}

/** Of the workers nothing is known where Temporal, which is asked for them, is down. */
function downInWords(down: readonly Dependency[]): string {
  const temporalIsDown = down.some(({ dependency }) => dependency === 'temporal');
  return down
    .filter(({ dependency }) => dependency !== 'workers' || !temporalIsDown)
    .map(({ dependency, problem }) => `${dependency}: ${problem}`)
    .join('; ');
}

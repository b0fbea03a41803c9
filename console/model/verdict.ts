import type { Connection } from './follow.ts';
import { count, counted, duration } from './format.ts';
import type { Dependency, PartitionSummary, Summary } from './wire.ts';

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
  const { batches, oldestAgeSeconds: age, newestError } = summary;
  const waiting = waitingInWords(summary);
  const cause = causeOf(summary, down);
  const because = cause === '' ? '' : `: ${cause}`;
  if (batches.stuck > 0) {
    const stuck = `${counted(batches.stuck, 'batch', 'batches')} ${batches.stuck === 1 ? 'is' : 'are'} stuck`;
    return {
      level: 'bad',
      sentence: `${stuck}${because}`,
      detail: `${waiting}. Mend the cause, then retry: nothing is lost meanwhile.`,
      title: `${batches.stuck} stuck`,
      spoken: `${stuck}${because}`,
    };
  }
  if (summary.allPersisted === true) return persisted(summary);
  if (summary.allPersisted === null && batches.retrying === 0) {
    const why = unknownInWords(summary.unknown);
    const sentence = 'Nobody can say whether everything is persisted.';
    return { level: 'unknown', sentence, detail: why, title: 'unknown', spoken: sentence };
  }
  if ((batches.retrying > 0 && newestError !== null) || (age ?? 0) >= LATE_S) {
    const title = age === null ? 'waiting' : `waiting ${duration(age)}`;
    const spoken = `Writes are not reaching PostgreSQL${because}`;
    return { level: 'bad', sentence: spoken, detail: `${waiting}. Nothing is lost.`, title, spoken };
  }
  const sentence = 'Writes are on their way.';
  return { level: 'busy', sentence, detail: `${waiting}.`, title: 'on their way', spoken: sentence };
}

function waitingInWords({ pendingEntries, oldestAgeSeconds }: Summary): string {
  const waiting =
    pendingEntries === null
      ? 'Nobody knows how many entries wait'
      : `${counted(pendingEntries, 'entry', 'entries')} ${pendingEntries === 1 ? 'waits' : 'wait'}`;
  return oldestAgeSeconds === null ? waiting : `${waiting}, the oldest for ${duration(oldestAgeSeconds)}`;
}

/** How long the oldest write has waited. Where Redis did not say what waits, no age does not mean that nothing does. */
export function oldestInWords({
  pendingEntries,
  oldestAgeSeconds,
}: Pick<PartitionSummary, 'pendingEntries' | 'oldestAgeSeconds'>): string {
  return oldestAgeSeconds === null && pendingEntries !== null ? 'none' : duration(oldestAgeSeconds);
}

function persisted({ deadLetters }: Summary): Verdict {
  const dead = deadLetters?.dead ?? 0;
  if (dead === 0) {
    const sentence = 'Everything is persisted.';
    return { level: 'good', sentence, detail: '', title: 'all persisted', spoken: sentence };
  }
  const wait = `${counted(dead, 'dead letter')} ${dead === 1 ? 'waits' : 'wait'} for a decision`;
  const sentence = `Everything is persisted, but ${wait}.`;
  return { level: 'warn', sentence, detail: '', title: counted(dead, 'dead letter'), spoken: sentence };
}

/** What holds writes up, as far as anybody said. */
function causeOf({ newestError, unknown }: Summary, down: readonly Dependency[]): string {
  if (newestError !== null) return `${newestError.message} (${newestError.type})`;
  const [first] = down;
  if (first !== undefined) return `${first.dependency}: ${first.problem}`;
  return unknownInWords(unknown);
}

/** What did not answer, and why; empty where all did. */
export function unknownInWords(unknown: Summary['unknown']): string {
  return unknown.map(({ dependency, problem }) => `${dependency}: ${problem}`).join('; ');
}

/** The states of batches in words, those that there are; `none` where there are none. */
export function batchesInWords(batches: Summary['batches']): string {
  const some = Object.entries(batches).filter(([, number]) => number > 0);
  return some.length === 0 ? 'none' : some.map(([state, number]) => `${count(number)} ${state}`).join(', ');
}

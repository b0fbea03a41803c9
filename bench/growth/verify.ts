import { Problem } from '../../dev/problem.ts';
import type { Holdfast } from '../start-holdfast.ts';
import { BACKLOG_PREFIX, backlogEntry } from './backlog-entries.ts';
import { answers } from './lost-memory.ts';

/** So many entries are read through the API, from all over the backlog. */
const SAMPLE = 200;

/**
 * Compares what is in PostgreSQL with what was written: the number of rows, every row's own number in its document, and the whole
 * text of a sample, as the API answers it. `probes`: how many entries were written beside the backlog.
 * @throws Problem that says what is missing or wrong.
 */
export async function verify(
  { db }: Holdfast,
  { base, writes, probes }: { readonly base: string; readonly writes: number; readonly probes: number },
): Promise<void> {
  const { rows } = await db.query<Record<'backlog' | 'others' | 'wrong', string>>(
    `SELECT count(*) FILTER (WHERE own) AS backlog, count(*) FILTER (WHERE NOT own) AS others,
       count(*) FILTER (WHERE own AND (deleted OR value->>'id' IS DISTINCT FROM lpad(substr(key, $2), 10, '0'))) AS wrong
     FROM (SELECT *, starts_with(key, $1) AS own FROM documents) AS d`,
    [BACKLOG_PREFIX, BACKLOG_PREFIX.length + 1],
  );
  const found = {
    backlog: Number(rows[0]?.backlog),
    others: Number(rows[0]?.others),
    wrong: Number(rows[0]?.wrong),
  };
  if (found.backlog !== writes || found.others !== probes || found.wrong !== 0) {
    throw new Problem(
      `LOST OR WRONG: of ${writes} writes ${found.backlog} are rows, ${found.wrong} of them with a wrong value; of ${probes} probes ${found.others} are`,
    );
  }
  const step = Math.max(1, Math.floor(writes / SAMPLE));
  for (let n = 0; n < writes; n += step) {
    const entry = backlogEntry(n);
    if (!(await answers(base, entry)))
      throw new Problem(`a read of ${entry.key} is refused, with nothing under way`);
  }
}

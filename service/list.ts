import { listEntries } from '../storage/postgres/list-entries.ts';
import type { Context } from './context.ts';
import { beforeDeadline } from './deadline.ts';
import type { Holdfast } from './holdfast.ts';
import { unavailable } from './trouble.ts';

/** Pages of what PostgreSQL has. Redis and Temporal are not asked: what is pending has no order to list it in. */
export function createList({ db }: Context): Holdfast['list'] {
  return async ({ name, kind }, page, { deadlineAt }) => {
    try {
      const found = listEntries(db, { ...page, collection: name, kind });
      const { entries, more } = await beforeDeadline(found, deadlineAt);
      return { entries, next: more ? (entries.at(-1)?.key ?? null) : null };
    } catch (error) {
      throw unavailable(error);
    }
  };
}

import { ApplicationFailure } from '@temporalio/workflow';
import type { PersistResult } from '../activities/create-activities.ts';

/**
 * An operator can complete an activity by hand, with anything: only what has the whole form of a result may end the wait
 * for PostgreSQL. What has not, ends the activity as a failure that no retry mends.
 * @throws ApplicationFailure `unknown-result`
 */
export function checked<T extends PersistResult>(result: T): T {
  if (isPersistResult(result)) return result;
  throw ApplicationFailure.nonRetryable(
    'completed with something that is not a result of persistBatch',
    'unknown-result',
  );
}

function isPersistResult(result: unknown): boolean {
  if (!isObject(result)) return false;
  const { outcome, setAside } = result;
  return (
    (outcome === 'persisted' || outcome === 'refused') &&
    Array.isArray(setAside) &&
    setAside.every(isEntryVersion)
  );
}

function isEntryVersion(entry: unknown): boolean {
  return (
    isObject(entry) &&
    typeof entry.collection === 'string' &&
    typeof entry.key === 'string' &&
    Number.isSafeInteger(entry.version)
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

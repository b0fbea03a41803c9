/**
 * A version orders the writes of an entry. It is an integer below 2^53, strictly increasing within a partition: the time
 * of Redis in microseconds, or one step above the partition's clock where that is ahead. Versions given out by Redis are
 * even; versions of writes that go around Redis are odd, so the two can never be equal. 0 means "never written".
 */
export type Version = number;

/** The highest version, 2^53 − 1: microseconds since 1970 reach it in the year 2255. */
export const MAX_VERSION = Number.MAX_SAFE_INTEGER;

/** The version in an ETag, `If-Match` or stored text; `undefined` where the text is not a version. */
export function parseVersion(text: string): Version | undefined {
  if (!/^(0|[1-9]\d{0,15})$/.test(text)) return undefined;
  const version = Number(text);
  return version <= MAX_VERSION ? version : undefined;
}

/** When a version was given out: versions are microseconds since 1970, unless a clock was set back. */
export function timeOfVersion(version: Version): Date {
  return new Date(Math.floor(version / 1_000));
}

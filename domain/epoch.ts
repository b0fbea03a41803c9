/**
 * The name of one life of a partition's memory in Redis: `<number>-<installation><random>`. The number grows with every recovery;
 * the random part keeps two recoveries that saw the same past from making the same name. `0-0` is before the first.
 */
export type Epoch = string;

/** Names a database with what belongs to it, in eight characters of `[0-9a-f]`: so a batch is known as one's own. */
export type Installation = string;

export const FIRST_EPOCH: Epoch = '0-0';

/** The number of an epoch; 0 for text that is none, so that it counts as older than any. */
export function epochNumber(epoch: Epoch): number {
  const match = /^(\d{1,15})-[0-9a-z]+$/.exec(epoch);
  return match === null ? 0 : Number(match[1]);
}

/** The epoch that follows the given ones. `unique` is text of `[0-9a-z]`: the installation, and at least 40 random bits. */
export function nextEpoch(unique: string, ...known: Epoch[]): Epoch {
  return `${Math.max(...known.map(epochNumber)) + 1}-${unique}`;
}

/** The installation that an epoch names; `undefined` for those of older versions, which name none and have fewer characters. */
export function installationOf(epoch: Epoch): Installation | undefined {
  return /^\d+-([0-9a-f]{8})[0-9a-z]{8}$/.exec(epoch)?.[1];
}

/** Whether an epoch, and so a batch of it, certainly belongs to another installation. */
export function isForeign(epoch: Epoch, installation: Installation): boolean {
  const named = installationOf(epoch);
  return named !== undefined && named !== installation;
}

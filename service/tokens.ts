import { randomBytes } from 'node:crypto';

const process = randomBytes(8).toString('hex');
let count = 0;

/** A text that no other call of any process gives: for leases, blocks and locks. Cheap: random once, then a counter. */
export function uniqueToken(): string {
  count += 1;
  return `${process}${count.toString(36)}`;
}

/** 41 random bits in eight characters of `[0-9a-z]`, for the name of an epoch. */
export function epochRandom(): string {
  return (randomBytes(8).readBigUInt64BE() >> 23n).toString(36).padStart(8, '0');
}

import type { Random } from '../../dev/random.ts';

export interface WorkloadOptions {
  readonly random: Random;
  /** In every key and token: runs on one database stay apart. */
  readonly prefix: string;
  readonly clients: number;
  readonly keysPerCollection: number;
  /** Read at each call: processes come and go. */
  readonly urls: () => readonly string[];
  readonly requestDeadlineMs: number;
  /** The share of cart puts whose value PostgreSQL refuses. */
  readonly poison?: number;
  /** How long the body of a put is, where it is not short. */
  readonly bodyBytes?: (random: Random) => number | undefined;
  /** Every second key is as long as a key may be. */
  readonly longKeys?: boolean;
  /** How many of 100 calls to documents delete. Default: 7. */
  readonly deletions?: number;
  /** Whether connections are used again. Default: yes. */
  readonly keepAlive?: boolean;
}

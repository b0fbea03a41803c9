import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../dev/clone.ts';

/** The shipped collections, and two whose reads are durable: documents and counters. */
export const CONFIG_FILE = join(ROOT, 'test', 'faults', 'holdfast.config.json');

const { collections } = JSON.parse(readFileSync(CONFIG_FILE, 'utf8')) as {
  collections: Record<string, { reads?: 'latest' | 'durable' }>;
};

export const COLLECTIONS: readonly string[] = Object.keys(collections);

/** Those whose reads wait until what they return is queued: they must be linearizable. */
export const DURABLE: readonly string[] = COLLECTIONS.filter(
  (name) => collections[name]?.reads === 'durable',
);

import type { Version } from './version.ts';

/** `If-Match: "<version>"`, or `If-None-Match: *`. A deleted entry counts as absent. */
export type WriteCondition = { readonly ifVersion: Version } | { readonly ifAbsent: true };

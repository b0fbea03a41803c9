import type { z } from 'zod';
import type { actionList } from '../../api/schemas/action.ts';
import type { batchList, shownBatch } from '../../api/schemas/batch-list.ts';
import type { correctedDeadLetter, deadLetter, deadLetterList } from '../../api/schemas/dead-letter.ts';
import type { discardResult } from '../../api/schemas/discard.ts';
import type { readiness } from '../../api/schemas/health.ts';
import type { problem } from '../../api/schemas/problem.ts';
import type { summary } from '../../api/schemas/summary.ts';

// What goes over the wire, from the schemas that the API documents its answers by.

export type Summary = z.output<typeof summary>;
export type BatchCounts = Summary['batches'];
export type PartitionSummary = Summary['partitions'][number];
export type BatchPage = z.output<typeof batchList>;
export type Batch = BatchPage['batches'][number];
export type ShownBatch = z.output<typeof shownBatch>;
export type DeadLetter = z.output<typeof deadLetter>;
export type CorrectedDeadLetter = z.output<typeof correctedDeadLetter>;
export type DeadLetterPage = z.output<typeof deadLetterList>;
export type DiscardResult = z.output<typeof discardResult>;
export type Readiness = z.output<typeof readiness>;
export type Dependency = Readiness['dependencies'][number];
export type ActionPage = z.output<typeof actionList>;
export type Problem = z.output<typeof problem>;

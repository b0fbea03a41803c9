import { isGrpcServiceError } from '@temporalio/client';
import type { SearchAttributePair } from '@temporalio/common';
import { partitionName } from '../../domain/partition.ts';
import { MAX_NAMED_COLLECTIONS, SEARCH_ATTRIBUTES } from '../../domain/search-attributes.ts';
import { timeOfVersion, type Version } from '../../domain/version.ts';
import type { TemporalCalls } from './call-deadline.ts';

/** gRPC status code. */
const INVALID_ARGUMENT = 3;

/** As Temporal's API numbers their types. */
const TYPES = { KEYWORD: 2, DATETIME: 6, KEYWORD_LIST: 7 } as const;

/** As its command line names them. */
const TYPE_WORDS = { KEYWORD: 'Keyword', KEYWORD_LIST: 'KeywordList', DATETIME: 'Datetime' } as const;

/** All of them as the command line takes them. */
export const NAMED = Object.values(SEARCH_ATTRIBUTES).map(({ name, type }) => ({
  name,
  type: TYPE_WORDS[type],
}));

/** All of them with their types, as a namespace registers them. */
export const REGISTERED: Readonly<Record<string, number>> = Object.fromEntries(
  Object.values(SEARCH_ATTRIBUTES).map(({ name, type }) => [name, TYPES[type]]),
);

/** How long starts do without, in ms, once the server refused them for attributes that it does not know. */
const DO_WITHOUT_MS = 5_000;

/** Whether this process gives its starts search attributes. A server that does not know one refuses the start, that is a batch. */
export interface AttributeUse {
  wanted(): boolean;
  /** The server refused them just now. */
  refused(): void;
  /** They were accepted. */
  accepted(): void;
  /** Whether the last start that had them was refused for them. */
  isRefused(): boolean;
}

export function createAttributeUse(): AttributeUse {
  let refusedAt: number | undefined;
  return {
    wanted: () => refusedAt === undefined || performance.now() - refusedAt >= DO_WITHOUT_MS,
    refused: () => {
      refusedAt = performance.now();
    },
    accepted: () => {
      refusedAt = undefined;
    },
    isRefused: () => refusedAt !== undefined,
  };
}

/** What a batch workflow starts with. They cost no event there. */
export function attributesOf(batch: {
  readonly partition: number;
  /** Sorted. */
  readonly collections: readonly string[];
  readonly oldest: Version;
}): SearchAttributePair[] {
  const { state, collections, partition, oldestWrite } = SEARCH_ATTRIBUTES;
  return [
    { key: state, value: 'persisting' },
    { key: collections, value: batch.collections.slice(0, MAX_NAMED_COLLECTIONS) },
    { key: partition, value: partitionName(batch.partition) },
    { key: oldestWrite, value: timeOfVersion(batch.oldest) },
  ];
}

/** Whether a start was refused because the namespace has no such search attribute, or has it with another type. */
export function blamesSearchAttributes(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) {
    if (isGrpcServiceError(e)) return e.code === INVALID_ARGUMENT && /search attribute/i.test(e.details);
  }
  return false;
}

/**
 * Those that the namespace lacks, or has with another type, each as `name (TYPE)`.
 * @throws whatever the call ends with: not every server lets everybody ask.
 */
export async function missingAttributes(
  operatorService: TemporalCalls['operatorService'],
  namespace: string,
): Promise<string[]> {
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
  return Object.values(SEARCH_ATTRIBUTES)
    .filter(({ name }) => customAttributes?.[name] !== REGISTERED[name])
    .map(({ name, type }) => `${name} (${type})`);
}

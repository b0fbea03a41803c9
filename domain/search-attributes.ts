/**
 * The search attributes of batch workflows. Temporal keeps them in the clear: never a key or a value of an entry. They are five,
 * since a namespace on an SQL database has room for 10 of type Keyword, 3 of KeywordList and 3 of each other type.
 */
export const SEARCH_ATTRIBUTES = {
  /** A `BatchState`: `persisting` at the start, then only what a batch in trouble changes to. */
  state: { name: 'HoldfastState', type: 'KEYWORD' },
  /** The collections in the batch, sorted; of more than {@link MAX_NAMED_COLLECTIONS} the first ones. */
  collections: { name: 'HoldfastCollections', type: 'KEYWORD_LIST' },
  /** `p03` */
  partition: { name: 'HoldfastPartition', type: 'KEYWORD' },
  /** Why a batch in trouble is: a SQLSTATE, `unreachable`, or the name of an error. Not set while all is well. */
  error: { name: 'HoldfastError', type: 'KEYWORD' },
  /** When the oldest of the writes in the batch was accepted. */
  oldestWrite: { name: 'HoldfastOldestWrite', type: 'DATETIME' },
} as const;

/** Their names together stay below the 2 KB that Temporal takes for one search attribute. */
export const MAX_NAMED_COLLECTIONS = 20;

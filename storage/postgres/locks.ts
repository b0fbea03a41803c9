/**
 * First key of the advisory locks on partitions; the second is the partition. Every persist holds its partition's shared
 * until it commits, pruning takes all of them exclusively: a batch decides either before a tombstone goes or after it.
 */
export const PARTITION_LOCK = 7_203;

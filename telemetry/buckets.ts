/** Upper bounds in seconds: of requests and transactions, from a hit in Redis to the longest deadline. */
export const SHORT_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Of the way of a write, from a quiet machine to an outage of a working day. */
export const LONG_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1_800, 7_200, 28_800];

/** Up to the largest `BATCH_MAX_ENTRIES`. */
export const BATCH_ENTRIES = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000];

/** Up to the largest `BATCH_MAX_BYTES`. */
export const BATCH_BYTES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024].map((kib) => kib * 1_024);

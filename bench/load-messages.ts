/** What the load generator is asked to do, as JSON over the channel between the two processes. */
export interface LoadRequest {
  /** Connections are spread evenly over these. */
  readonly ports: readonly number[];
  /** Connections, each with at most one request in flight. */
  readonly clients: number;
  readonly warmupMs: number;
  readonly measureMs: number;
  /** Requests a second on schedule; without it, each connection sends as soon as it was answered. */
  readonly rate?: number | undefined;
  /** Stop after so many requests, however much time is left. */
  readonly total?: number | undefined;
  readonly shape: RequestShape;
}

/** Requests that differ in key and body only. */
export interface RequestShape {
  readonly method: 'GET' | 'PUT' | 'POST';
  /** What comes before the key in the path, and what comes after it. */
  readonly path: readonly [before: string, after: string];
  /** The beginning of every key. */
  readonly key: string;
  /**
   * What follows: nothing, the request's number, that modulo `of`, one of `of` numbers by Zipf's law, or each of `of` numbers once,
   * from all over the range from the first request on, and then again.
   */
  readonly pick: 'nothing' | 'each' | 'cycle' | 'zipf' | 'spread';
  readonly of: number;
  /** The bytes of each JSON document; 0: the request has no body. */
  readonly bytes: number;
  /** The share of requests that are a GET of the same path instead. */
  readonly reads: number;
  /** Documents in one request, as `/v1/batch` takes them; 0: the request is no batch. */
  readonly batch: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** When a sampled write was acknowledged, by the machine's clock, in ms since 1970; and the number in its key. */
export type Acknowledged = readonly [n: number, at: number];

/** Requests are counted, but where they are batches: then each operation. */
export interface LoadResult {
  /** All that succeeded, warm-up and the last ones under way included. */
  readonly acknowledged: number;
  /** Those of them that write. */
  readonly writes: number;
  /** Those that succeeded within the measured time. */
  readonly measured: number;
  readonly perSecond: number;
  /** Milliseconds, of the requests measured. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  /** How many failed, by status or reason, warm-up included. */
  readonly errors: Readonly<Record<string, number>>;
  /** Some of the writes measured, where each has a key of its own. */
  readonly samples: readonly Acknowledged[];
  /** The share of one core that the generator itself used while measuring. Near 1, it is what limits. */
  readonly ownCpu: number;
}

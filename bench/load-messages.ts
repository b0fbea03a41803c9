/** What the load generator is asked to do, as JSON over the channel between the two processes. */
export interface LoadRequest {
  readonly port: number;
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
  /** Text of the keys. They get the request's number modulo `keys`; with `keys` 0 none, and are all the same. */
  readonly key: string;
  readonly keys: number;
  /** `document`: a JSON object of about 100 bytes. */
  readonly body: 'none' | 'document';
  readonly headers: Readonly<Record<string, string>>;
}

export interface LoadResult {
  /** Requests that succeeded, warm-up and the last ones under way included. */
  readonly acknowledged: number;
  /** Those that succeeded within the measured time. */
  readonly measured: number;
  readonly perSecond: number;
  /** Milliseconds, of those measured. */
  readonly p50: number;
  readonly p99: number;
  /** How many failed, by status or reason, warm-up included. */
  readonly errors: Readonly<Record<string, number>>;
  /** The share of one core that the generator itself used while measuring. Near 1, it is what limits. */
  readonly ownCpu: number;
}

import type { Kysely } from 'kysely';
import type { Logger } from 'pino';
import type { Environment } from '../config/environment.ts';
import type { CommitEntry } from '../storage/postgres/commit-shared.ts';
import type { Database } from '../storage/postgres/database-types.ts';
import type { ReadInstallation } from '../storage/postgres/installation.ts';
import type { ReadRecord } from '../storage/postgres/read-record.ts';
import type { RedisStore } from '../storage/redis/client.ts';
import type { Temporal } from '../storage/temporal/client.ts';
import type { ServiceMetrics } from '../telemetry/metrics.ts';
import type { Tracing } from '../telemetry/tracing.ts';

/** What every use case works with. */
export interface Context {
  readonly environment: Environment;
  readonly redis: RedisStore;
  readonly temporal: Temporal;
  readonly db: Kysely<Database>;
  readonly installation: ReadInstallation;
  readonly readRecord: ReadRecord;
  readonly commitEntry: CommitEntry;
  readonly metrics: ServiceMetrics;
  /** Only where a collector is configured. */
  readonly tracing: Tracing | undefined;
  readonly log: Logger;
}

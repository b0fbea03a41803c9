import { NativeConnection } from '@temporalio/worker';
import { sql } from 'kysely';
import type { Environment } from '../config/environment.ts';
import type { DatabaseHandle } from '../storage/postgres/database.ts';
import { describeError, sqlState } from '../storage/postgres/errors.ts';
import type { RedisStore } from '../storage/redis/client.ts';
import type { Temporal } from '../storage/temporal/client.ts';
import { connectionSettings } from '../storage/temporal/connection-settings.ts';
import { ensureSchedule, type MaintenanceSchedule } from '../storage/temporal/ensure-schedule.ts';
import { isTemporalUnreachable } from '../storage/temporal/errors.ts';
import type { Dependency } from './wait-for.ts';

/** gRPC status codes. */
const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;
const UNAUTHENTICATED = 16;

function grpcCode(error: unknown): number | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined;
}

function message(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n', 1)[0] ?? '').slice(0, 300) : 'unknown error';
}

/** A connection to Temporal that may use the namespace. */
export function temporalDependency(environment: Environment): Dependency<NativeConnection> {
  const namespace = environment.TEMPORAL_NAMESPACE;
  return {
    name: `Temporal at ${environment.TEMPORAL_ADDRESS}`,
    async attempt() {
      const connection = await NativeConnection.connect(connectionSettings(environment));
      try {
        await connection.withDeadline(Date.now() + environment.TEMPORAL_TIMEOUT_MS, () =>
          connection.workflowService.describeNamespace({ namespace }),
        );
        return connection;
      } catch (error) {
        await connection.close();
        throw error;
      }
    },
    hopeless(error) {
      const code = grpcCode(error);
      if (code === NOT_FOUND)
        return `there is no namespace "${namespace}" (TEMPORAL_NAMESPACE): create it first`;
      if (
        code === PERMISSION_DENIED ||
        code === UNAUTHENTICATED ||
        /unauthenticated|permission.?denied/i.test(message(error))
      ) {
        return `these credentials are not accepted for the namespace "${namespace}" (TEMPORAL_API_KEY, TEMPORAL_TLS…)`;
      }
      return undefined;
    },
    // The native client wraps what happened in its own types: `… message: "Connection refused" …`.
    describe: (error) => /message: \\?"([^"\\]+)/.exec(message(error))?.[1] ?? message(error),
  };
}

/** A migrated database. */
export function postgresDependency({ db }: DatabaseHandle): Dependency<void> {
  return {
    name: 'PostgreSQL',
    async attempt() {
      await sql`SELECT FROM partition_clocks LIMIT 0`.execute(db);
    },
    hopeless: (error) =>
      sqlState(error)?.startsWith('28')
        ? `wrong user or password (DATABASE_URL): ${describeError(error)}`
        : undefined,
    describe: (error) =>
      ['3D000', '42P01'].includes(sqlState(error) ?? '')
        ? 'the database has no tables yet: npm run migrate'
        : describeError(error),
  };
}

/**
 * A Redis that takes commands.
 * @param connectionError the last trouble of the connection: a refused password shows there, commands only fail.
 */
export function redisDependency(
  redis: RedisStore,
  connectionError: () => Error | undefined,
): Dependency<void> {
  const cause = (error: unknown) => message(connectionError() ?? error);
  return {
    name: 'Redis',
    attempt: () => redis.ping(),
    hopeless: (error) =>
      /^(NOAUTH|WRONGPASS|NOPERM)\b/.test(cause(error))
        ? `wrong user or password (REDIS_URL): ${cause(error)}`
        : undefined,
    describe: cause,
  };
}

/** A schedule of maintenance. */
export function scheduleDependency(
  temporal: Temporal,
  schedule: MaintenanceSchedule,
  deadlineMs: number,
): Dependency<void> {
  return {
    name: `the schedule ${schedule.id}`,
    attempt: () => ensureSchedule(temporal, schedule, deadlineMs),
    hopeless: (error) => (isTemporalUnreachable(error) ? undefined : message(error)),
    describe: message,
  };
}

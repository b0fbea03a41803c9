import { isGrpcServiceError } from '@temporalio/client';
import { readEnvironment } from '../../config/environment.ts';
import { SettingsError } from '../../config/problem.ts';
import { connectTemporal, type Temporal } from './client.ts';
import { isTemporalUnreachable, withDeadline } from './errors.ts';
import { missingAttributes, NAMED, REGISTERED } from './search-attributes.ts';

export interface RegisterCommand {
  readonly env: NodeJS.ProcessEnv;
  readonly print: (line: string) => void;
  readonly printError: (line: string) => void;
}

const DEADLINE_MS = 10_000;

/** gRPC status codes with which a server says that this is not for us to do, or that it has no room. */
const NOT_OURS: ReadonlySet<number> = new Set([3, 7, 12, 16]);

/**
 * `npm run migrate`, after the tables: registers the search attributes of batches where they are missing. Returns the exit code.
 * Holdfast runs without them, so a server that does not let it register them is no failure: it says what to do.
 */
export async function runRegister({ env, print, printError }: RegisterCommand): Promise<number> {
  let temporal: Temporal | undefined;
  try {
    temporal = connectTemporal({ environment: readEnvironment(env), name: 'holdfast-migrate' });
    const missing = await register(temporal);
    print(missing.length === 0 ? 'search attributes are up to date' : `registered ${missing.join(', ')}`);
    return 0;
  } catch (error) {
    if (error instanceof SettingsError) {
      printError(error.message);
      return 1;
    }
    const namespace = temporal?.client.options.namespace ?? '';
    const refused = refusal(error);
    if (refused === undefined) {
      printError(
        `TEMPORAL_ADDRESS: the search attributes could not be registered in the namespace "${namespace}": ${message(error)}. Tables are up to date; run this again once Temporal answers`,
      );
      return 1;
    }
    print(
      `the search attributes were not registered in the namespace "${namespace}": ${refused}. Holdfast works without them, but batches cannot be found by state or cause. ${howTo(namespace)}`,
    );
    return 0;
  } finally {
    await temporal?.close();
  }
}

/** Answers those that were missing. */
async function register(temporal: Temporal): Promise<string[]> {
  const { namespace } = temporal.client.options;
  return await withDeadline(temporal, DEADLINE_MS, async ({ operatorService }) => {
    const before = await missingAttributes(operatorService, namespace);
    if (before.length === 0) return [];
    // Those that are there already are left as they are.
    await operatorService.addSearchAttributes({ namespace, searchAttributes: REGISTERED });
    const after = await missingAttributes(operatorService, namespace);
    if (after.length === 0) return before;
    throw new Refused(`${after.join(', ')} is there with another type`);
  });
}

class Refused extends Error {}

/** Why the server does not do it, where asking again would not help. */
function refusal(error: unknown): string | undefined {
  if (error instanceof Refused) return error.message;
  for (let e = error; e instanceof Error; e = e.cause) {
    if (isGrpcServiceError(e) && NOT_OURS.has(e.code)) return e.details;
  }
  return undefined;
}

function message(error: unknown): string {
  if (isTemporalUnreachable(error)) return error.message;
  return error instanceof Error ? error.message : 'unknown error';
}

/** The commands for whoever may do it, on Temporal Cloud and elsewhere. */
function howTo(namespace: string): string {
  const options = NAMED.map(({ name, type }) => `--name ${name} --type ${type}`);
  return `Let an administrator run: temporal operator search-attribute create --namespace ${namespace} ${options.join(' ')}`;
}

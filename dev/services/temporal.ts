import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { NAMED, REGISTERED } from '../../storage/temporal/search-attributes.ts';
import { until } from '../until.ts';
import { type Child, startChild, untilReady } from './child.ts';

/** What a Temporal dev server of ours is reached at. */
export interface TemporalServer {
  /** `host:port` of its gRPC frontend. */
  readonly address: string;
  readonly port: number;
  readonly child: Child;
}

export interface TemporalOptions {
  /** The `temporal` command-line program. */
  readonly program: string;
  /** Its SQLite file; the folder is made when missing. */
  readonly databaseFile: string;
  readonly logFile: string;
  readonly port: number;
  /** The Web UI's port; without one there is no Web UI. */
  readonly uiPort?: number;
  /** Where the Web UI has payloads decoded. */
  readonly codecEndpoint?: string;
  /** More arguments of `temporal server start-dev`. */
  readonly args?: readonly string[];
}

/** `npm run migrate` would register them too, some moments later. */
const SEARCH_ATTRIBUTE_ARGS = NAMED.flatMap(({ name, type }) => ['--search-attribute', `${name}=${type}`]);

/**
 * Starts a Temporal dev server on the loopback address, with the namespace `default`, and waits until that can be used.
 * @throws Error with the end of its log when it does not answer.
 */
export async function startTemporalServer(options: TemporalOptions): Promise<TemporalServer> {
  const { program, databaseFile, logFile, port, uiPort, codecEndpoint, args = [] } = options;
  mkdirSync(dirname(databaseFile), { recursive: true });
  const child = await startChild({
    name: 'Temporal',
    command: program,
    args: [
      ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port)],
      ...(uiPort === undefined ? ['--headless'] : ['--ui-port', String(uiPort)]),
      ...(codecEndpoint === undefined ? [] : ['--ui-codec-endpoint', codecEndpoint]),
      ...['--db-filename', databaseFile, '--log-level', 'error'],
      // Its settings file is the person's own; nothing in it concerns this server.
      ...['--disable-config-file', '--disable-config-env'],
      ...SEARCH_ATTRIBUTE_ARGS,
      ...args,
    ],
    cwd: dirname(databaseFile),
    output: { file: logFile },
  });
  const address = `127.0.0.1:${port}`;
  await untilReady(
    child,
    until(() => namespaceExists(address, 'default'), { timeoutMs: 60_000, what: 'Temporal to answer' }),
  );
  return { address, port, child };
}

/** Whether the server answers and knows this namespace. @throws when it cannot be reached. */
async function namespaceExists(address: string, namespace: string): Promise<boolean> {
  return withConnection(address, async (connection) => {
    await connection.workflowService.describeNamespace({ namespace });
    return true;
  });
}

/** Registers a namespace, with the search attributes of batches unless `bare`; it can be used at once. */
export async function registerNamespace(
  address: string,
  namespace: string,
  { bare = false }: { readonly bare?: boolean } = {},
): Promise<void> {
  await withConnection(address, async (connection) => {
    await connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: msToTs('1 day'),
    });
    if (bare) return;
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes: REGISTERED });
  });
}

async function withConnection<T>(address: string, use: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address, connectTimeout: 2_000 });
  try {
    return await connection.withDeadline(Date.now() + 5_000, () => use(connection));
  } finally {
    await connection.close();
  }
}

import type { Logger } from 'pino';
import type { Environment } from '../config/environment.ts';
import { installRuntime } from './logging.ts';
import { serveMetrics } from './metrics-server.ts';
import { freeLoopbackAddress, scrapeSdk } from './sdk-metrics.ts';

/** The port found for the SDK's metrics may be taken by another program before the SDK has it. */
const TRIES = 5;

/**
 * Connects the SDK with the log of this process and, where WORKER_METRICS_PORT asks for it, serves the metrics of both. Once
 * per process, before any connection or worker is made.
 * @throws SettingsError where that port cannot be had.
 */
export async function startTelemetry(
  { WORKER_METRICS_HOST: host, WORKER_METRICS_PORT: port }: Environment,
  logger: Logger,
  scrape: () => Promise<string>,
): Promise<void> {
  if (port === 0) {
    installRuntime(logger);
    return;
  }
  const sdkAddress = await installRuntimeWithMetrics(logger);
  const url = await serveMetrics({ host, port }, async () =>
    (await Promise.all([scrape(), scrapeSdk(sdkAddress)])).join('\n'),
  );
  logger.info({ url }, `metrics at ${url}`);
}

/** Answers where the SDK serves its metrics. */
async function installRuntimeWithMetrics(logger: Logger): Promise<string> {
  for (let tries = 1; ; tries++) {
    const address = await freeLoopbackAddress();
    try {
      installRuntime(logger, address);
      return address;
    } catch (error) {
      if (tries >= TRIES) throw error;
    }
  }
}

import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { Environment } from '../../config/environment.ts';
import { SettingsError } from '../../config/problem.ts';

/**
 * Where Temporal is and how to reach it, for clients and workers alike. Address and namespace are Holdfast's own
 * settings; TLS, API key and gRPC metadata are the official variables (`TEMPORAL_TLS…`, `TEMPORAL_API_KEY`, …). Temporal's
 * configuration file is read only where `TEMPORAL_CONFIG_FILE` or `TEMPORAL_PROFILE` asks for it, so that a developer's
 * own file does not change what a service does.
 * @throws SettingsError where these variables cannot be used, such as a certificate file that is not there.
 */
export function connectionSettings(environment: Environment, env: NodeJS.ProcessEnv = process.env) {
  const wantsFile = Boolean(env.TEMPORAL_CONFIG_FILE || env.TEMPORAL_PROFILE);
  try {
    const { connectionOptions } = loadClientConnectConfig({
      disableFile: !wantsFile,
      overrideEnvVars: Object.fromEntries(
        Object.entries(env).filter(
          (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '',
        ),
      ),
    });
    const { tls, apiKey, metadata } = connectionOptions;
    return {
      address: environment.TEMPORAL_ADDRESS,
      ...(tls === undefined ? {} : { tls }),
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(metadata === undefined ? {} : { metadata: textOnly(metadata) }),
    };
  } catch (error) {
    throw new SettingsError([`TEMPORAL_…: ${error instanceof Error ? error.message : 'cannot be read'}`]);
  }
}

/** envconfig reads text only; the wider type comes from the native connection. */
function textOnly(metadata: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(metadata).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

import type { Environment } from './environment.ts';
import type { ApiKey } from './keys.ts';
import { SettingsError } from './problem.ts';

/**
 * Without a key, everybody who reaches the port may do everything: so only this machine may reach it, unless somebody said
 * that something else guards it.
 * @throws SettingsError that says what to do.
 */
export function requireKeysBeyondLoopback(
  { HOST, ALLOW_ANONYMOUS }: Pick<Environment, 'HOST' | 'ALLOW_ANONYMOUS'>,
  keys: readonly ApiKey[],
): void {
  if (keys.length > 0 || ALLOW_ANONYMOUS || isLoopback(HOST)) return;
  throw new SettingsError([
    `HOST: other machines can reach ${HOST}, and no API key is configured, so all of them could do everything. Make a key with "npm run keys -- create", or set HOST to 127.0.0.1; where something else guards the port, set ALLOW_ANONYMOUS=true`,
  ]);
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

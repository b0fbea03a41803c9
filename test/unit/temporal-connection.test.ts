import { expect, test } from 'vitest';
import { readEnvironment } from '../../config/environment.ts';
import { SettingsError } from '../../config/problem.ts';
import { connectionSettings } from '../../storage/temporal/connection-settings.ts';

const environment = readEnvironment({ TEMPORAL_ADDRESS: 'temporal.test:7233' });
const settings = (env: Record<string, string>) => connectionSettings(environment, env);

test('without any of the official variables the connection is plain', () => {
  expect(settings({})).toEqual({ address: 'temporal.test:7233' });
  expect(settings({ TEMPORAL_API_KEY: '', TEMPORAL_TLS: '' })).toEqual({ address: 'temporal.test:7233' });
});

test('an API key brings TLS with it, and the address stays our own setting', () => {
  const found = settings({ TEMPORAL_API_KEY: 'secret', TEMPORAL_ADDRESS: 'elsewhere:1' });
  expect(found).toMatchObject({ address: 'temporal.test:7233', apiKey: 'secret' });
  expect(found).toHaveProperty('tls');
});

test('TLS by itself, with a server name, and gRPC metadata', () => {
  expect(
    settings({
      TEMPORAL_TLS: 'true',
      TEMPORAL_TLS_SERVER_NAME: 'temporal.example',
      TEMPORAL_GRPC_META_TEAM: 'shop',
    }),
  ).toMatchObject({ tls: { serverNameOverride: 'temporal.example' }, metadata: { team: 'shop' } });
});

test('a certificate that is not there ends the process with what is wrong', () => {
  expect(() => settings({ TEMPORAL_TLS_CLIENT_CERT_PATH: '/nowhere.pem' })).toThrow(SettingsError);
});

test('a configuration file is read only where it is asked for', () => {
  expect(() => settings({ TEMPORAL_CONFIG_FILE: '/nowhere.toml', TEMPORAL_PROFILE: 'prod' })).toThrow(
    SettingsError,
  );
});

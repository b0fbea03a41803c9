import { describe, expect, test } from 'vitest';
import { CRASH_POINTS } from '../../config/crash-points.ts';
import { ENVIRONMENT_VARIABLES, readEnvironment } from '../../config/environment.ts';
import { SettingsError } from '../../config/problem.ts';

function problemsOf(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    readEnvironment(env);
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
  return [];
}

test('every setting has a default', () => {
  const environment = readEnvironment({});
  expect(Object.keys(environment)).toEqual(ENVIRONMENT_VARIABLES);
  expect(environment).toMatchObject({
    HOST: '127.0.0.1',
    PORT: 8080,
    REDIS_URL: 'redis://127.0.0.1:6379',
    TEMPORAL_ADDRESS: '127.0.0.1:7233',
    TEMPORAL_NAMESPACE: 'default',
    PARTITIONS: 1,
    SLOTS: 32,
    BATCH_MAX_BYTES: 524_288,
  });
});

test('the defaults keep the promises between them', () => {
  const e = readEnvironment({});
  expect(e.GATHER_MAX_MS).toBeLessThan(e.REQUEST_DEADLINE_MS);
  expect(e.FLUSH_INTERVAL_MS).toBeLessThan(e.GATHER_MAX_MS);
  expect(e.REDIS_TIMEOUT_MS).toBeLessThan(e.REQUEST_DEADLINE_MS);
  expect(e.QUERY_TIMEOUT_MS).toBeLessThan(e.REQUEST_DEADLINE_MS);
  expect(e.MAX_VALUE_BYTES).toBeLessThan(e.BATCH_MAX_BYTES);
  expect(e.MAX_BATCH_BYTES).toBeLessThan(e.MAX_BODY_BYTES_IN_FLIGHT);
});

test('variables are read, numbers as numbers, and unknown ones are left alone', () => {
  const environment = readEnvironment({
    PORT: '0',
    LOG_LEVEL: 'debug',
    REDIS_URL: 'rediss://r:1/2',
    PATH: '/bin',
  });
  expect(environment).toMatchObject({ PORT: 0, LOG_LEVEL: 'debug', REDIS_URL: 'rediss://r:1/2' });
  expect(environment).not.toHaveProperty('PATH');
});

test('lists are separated by commas; without anything in them they are empty', () => {
  const environment = readEnvironment({
    CORS_ORIGINS: 'https://app.example.com, http://localhost:5173,',
    ALLOWED_HOSTS: 'holdfast.example.com',
    ALLOW_ANONYMOUS: 'true',
  });
  expect(environment).toMatchObject({
    CORS_ORIGINS: ['https://app.example.com', 'http://localhost:5173'],
    ALLOWED_HOSTS: ['holdfast.example.com'],
    ALLOW_ANONYMOUS: true,
  });
  expect(readEnvironment({ CORS_ORIGINS: ' ,' })).toMatchObject({
    CORS_ORIGINS: [],
    ALLOWED_HOSTS: [],
    ALLOW_ANONYMOUS: false,
  });
});

test('an empty variable counts as not set', () => {
  expect(readEnvironment({ PORT: '', REDIS_URL: '', HOST: '' })).toEqual(readEnvironment({}));
});

test('the result cannot be changed', () => {
  expect(Object.isFrozen(readEnvironment({}))).toBe(true);
});

describe('problems', () => {
  test('are listed all at once, each with its variable, in one error that can be shown to a person', () => {
    const env = { PORT: 'http', LOG_LEVEL: 'loud', REDIS_URL: 'localhost', SLOTS: '1', PARTITIONS: '101' };
    const problems = problemsOf(env);
    expect(problems.map((line) => line.split(':')[0]).sort()).toEqual(Object.keys(env).sort());
    expect(() => readEnvironment(env)).toThrow(/cannot start.*- PORT.*- PARTITIONS/s);
  });

  test.each([
    ['PORT', '65536', 'must be at most 65535'],
    ['PORT', '-1', 'must be a whole number'],
    ['PORT', '80.5', 'must be a whole number'],
    ['PORT', '1e3', 'must be a whole number'],
    ['PORT', ' 80', 'must be a whole number'],
    ['SLOTS', '1', 'must be at least 2'],
    // The largest MAX_BATCH_BYTES there may be.
    ['MAX_BODY_BYTES_IN_FLIGHT', '67108863', 'must be at least 67108864'],
    ['POSTGRES_TIMEOUT_MS', '20001', 'must be at most 20000'],
    ['CORS_ORIGINS', '*', '"*" is no origin such as https://app.example.com'],
    ['CORS_ORIGINS', 'https://a.example,null', '"null" is no origin such as https://app.example.com'],
    [
      'CORS_ORIGINS',
      'https://a.example/',
      '"https://a.example/" is no origin such as https://app.example.com',
    ],
    [
      'CORS_ORIGINS',
      'https://a.example:443',
      '"https://a.example:443" is no origin such as https://app.example.com',
    ],
    ['ALLOWED_HOSTS', 'a.example:80', '"a.example:80" is no host name in lower case, without a port'],
    ['ALLOW_ANONYMOUS', 'yes', 'Invalid option: expected one of "true"|"false"'],
    ['REDIS_URL', 'http://x', 'must be a URL that begins with redis:// or rediss://'],
    ['DATABASE_URL', 'mysql://x', 'must be a URL that begins with postgres:// or postgresql://'],
    ['DATABASE_URL', 'postgres', 'must be a URL that begins with postgres:// or postgresql://'],
    ['TEMPORAL_UI_URL', 'ftp://x', 'must be a URL that begins with http:// or https://'],
  ])('%s=%s: %s', (name, value, message) => {
    expect(problemsOf({ [name]: value })).toEqual([`${name}: ${message}`]);
  });

  test.each(['after-sael:1', 'after-seal', 'after-seal:0', 'after-seal:x', 'after-seal:1:1', ':1'])(
    'HOLDFAST_CRASH_POINT=%s names the crash points that there are',
    (value) => {
      expect(problemsOf({ HOLDFAST_CRASH_POINT: 'after-seal:12' })).toEqual([]);
      expect(problemsOf({ HOLDFAST_CRASH_POINT: value })).toEqual([
        `HOLDFAST_CRASH_POINT: must be name:n, a whole number from 1 and one of ${CRASH_POINTS.join(', ')}`,
      ]);
    },
  );

  test('do not show the value: a database URL holds a password', () => {
    expect(
      problemsOf({ DATABASE_URL: 'mysql://user:hunter2@db', REDIS_URL: 'hunter2' }).join(),
    ).not.toContain('hunter2');
  });
});

test('keys of payloads are pairs of a name and 32 bytes; a problem with them repeats nothing of them', () => {
  const key = Buffer.alloc(32, 7).toString('base64');
  expect(readEnvironment({ PAYLOAD_ENCRYPTION_KEYS: `b:${key}, a:${key}` }).PAYLOAD_ENCRYPTION_KEYS).toEqual([
    { id: 'b', key: Buffer.alloc(32, 7) },
    { id: 'a', key: Buffer.alloc(32, 7) },
  ]);
  for (const wrong of ['secret', `${key}`, 'a:c2VjcmV0', `a b:${key}`, `a:${key}x`, `a:${key.slice(1)}!`]) {
    const [problem, ...more] = problemsOf({ PAYLOAD_ENCRYPTION_KEYS: wrong });
    expect(problem).toMatch(/^PAYLOAD_ENCRYPTION_KEYS: must be pairs/);
    expect(more).toEqual([]);
    expect(problem).not.toContain(wrong);
  }
  expect(problemsOf({ PAYLOAD_ENCRYPTION_KEYS: `a:${key},a:${key}` })).toEqual([
    'PAYLOAD_ENCRYPTION_KEYS: names two keys alike',
  ]);
});

import { expect, test } from 'vitest';
import { SettingsError } from '../../config/problem.ts';
import { judgeRedisSettings } from '../../service/redis-settings.ts';

const WELL = { evictionPolicy: 'noeviction', maxMemory: 0, appendOnly: true };

test.each([
  ['no limit and an append-only file', WELL, []],
  ['a limit that copies make room under', { ...WELL, maxMemory: 1e9, evictionPolicy: 'volatile-lru' }, []],
  ['a limit, and nothing that makes room', { ...WELL, maxMemory: 1e9 }, [/noeviction.*volatile-lru/]],
  ['no append-only file', { ...WELL, appendOnly: false }, [/"cached" do not survive.*appendonly yes/]],
  ['settings that cannot be read', undefined, [/not allkeys-\*.*appendonly/]],
] as const)('of a Redis with %s it is said what that means', (_what, settings, warnings) => {
  expect(judgeRedisSettings(settings)).toEqual(warnings.map((text) => expect.stringMatching(text)));
});

test.each(['allkeys-lru', 'allkeys-lfu', 'allkeys-random'])(
  'a Redis with maxmemory-policy %s is refused',
  (evictionPolicy) => {
    expect(() => judgeRedisSettings({ ...WELL, evictionPolicy })).toThrow(SettingsError);
  },
);

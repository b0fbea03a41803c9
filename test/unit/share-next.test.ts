import { expect, test } from 'vitest';
import { shareNext } from '../../service/share-next.ts';

/** Work of which each run is ended by the test. */
function runs() {
  const started: { readonly key: number; end(result: string): void; fail(error: Error): void }[] = [];
  const shared = shareNext(
    (key) =>
      new Promise<string>((resolve, reject) => {
        started.push({ key, end: resolve, fail: reject });
      }),
  );
  return { started, shared };
}

test('who comes while a run is under way shares the next one, never the one that began before', async () => {
  const { started, shared } = runs();
  const first = shared(1);
  const [second, third] = [shared(1), shared(1)];
  expect(started).toHaveLength(1);
  started[0]?.end('old');
  expect(await first).toBe('old');
  await Promise.resolve();
  expect(started).toHaveLength(2);
  const fourth = shared(1);
  started[1]?.end('fresh');
  expect(await Promise.all([second, third])).toEqual(['fresh', 'fresh']);
  await Promise.resolve();
  started[2]?.end('fresher');
  expect(await fourth).toBe('fresher');
  const fifth = shared(1);
  started[3]?.end('alone');
  expect(await fifth).toBe('alone');
  expect(started).toHaveLength(4);
});

test('a run that fails fails for those who share it, and the next one begins all the same', async () => {
  const { started, shared } = runs();
  const first = shared(1);
  const second = shared(1);
  started[0]?.fail(new Error('away'));
  await expect(first).rejects.toThrow('away');
  await Promise.resolve();
  started[1]?.end('back');
  expect(await second).toBe('back');
});

test('other keys wait for nothing', () => {
  const { started, shared } = runs();
  void shared(1);
  void shared(2);
  expect(started.map(({ key }) => key)).toEqual([1, 2]);
});

import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { cachedFolder, sha256, verify } from '../../dev/services/cache.ts';
import { findRedis } from '../../dev/services/redis.ts';
import { downloadWheel } from '../../dev/services/wheel.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-unit-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

/** Puts a shell script of this name where PATH looks first. */
function program(name: string, script: string): void {
  const bin = join(folder, 'bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, name), 0o755);
}

test('a file with another SHA-256 is refused', async () => {
  const file = join(folder, 'file');
  writeFileSync(file, 'content');
  await verify(file, await sha256(file));
  await expect(verify(file, '0'.repeat(64))).rejects.toThrow(/not used/);
});

test('a downloaded wheel with another SHA-256 is refused before it is unpacked', async () => {
  program('python3', `while [ "$1" != --dest ]; do shift; done; echo wrong > "$2/some-1.0-py3-none-any.whl"`);
  vi.stubEnv('PATH', join(folder, 'bin'));
  const target = join(folder, 'wheel');
  const download = downloadWheel({
    name: 'some',
    version: '1.0',
    sha256: '0'.repeat(64),
    folder: target,
    progress: () => {},
  });
  await expect(download).rejects.toThrow(/SHA-256 is \w+, not 0000/);
  expect(readdirSync(target)).toEqual(['some-1.0-py3-none-any.whl']);
});

test('a cached folder is made once, and of two makers at once one result stays', async () => {
  const target = join(folder, 'cache', 'thing');
  let makes = 0;
  const make = async (temporary: string) => {
    makes += 1;
    const mine = String(makes);
    await vi.waitUntil(() => makes === 2);
    for (const name of ['a', 'b']) writeFileSync(join(temporary, name), mine);
  };
  await Promise.all([cachedFolder(target, make), cachedFolder(target, make)]);
  expect(readFileSync(join(target, 'a'), 'utf8')).toBe(readFileSync(join(target, 'b'), 'utf8'));
  expect(readdirSync(join(folder, 'cache'))).toEqual(['thing']);
  await cachedFolder(target, make);
  expect(makes).toBe(2);
});

test('a maker that fails leaves nothing behind', async () => {
  const target = join(folder, 'thing');
  const failing = cachedFolder(target, async (temporary) => {
    writeFileSync(join(temporary, 'half'), '');
    throw new Error('no network');
  });
  await expect(failing).rejects.toThrow('no network');
  expect(existsSync(target)).toBe(false);
  expect(readdirSync(folder)).toEqual([]);
});

test('Redis is installed by the package manager where that needs no question', async () => {
  const bin = join(folder, 'bin');
  program('sudo', 'shift; exec "$@"');
  program('true', '');
  program(
    'apt-get',
    `[ "$1" = update ] && exit 0; printf '#!/bin/sh\\necho "Redis server v=7.2.1"\\n' > ${bin}/redis-server; /bin/chmod 755 ${bin}/redis-server`,
  );
  vi.stubEnv('PATH', bin);
  const lines: string[] = [];
  expect(await findRedis((line) => lines.push(line))).toBe(join(bin, 'redis-server'));
  expect(lines.join('\n')).toMatch(/apt-get update.*\n.*apt-get install .*redis-server/);
});

test('without a usable Redis one line says what was tried and what to install', async () => {
  program('redis-server', 'echo "Redis server v=6.0.16 sha=00000000"');
  program('apt-get', 'echo "Unable to locate package redis-server" >&2; exit 100');
  program('sudo', 'shift; exec "$@"');
  program('true', '');
  vi.stubEnv('PATH', join(folder, 'bin'));
  const error: Error = await findRedis(() => {}).then(
    () => expect.unreachable(),
    (reason) => reason,
  );
  expect(error.message).toMatch(/apt-get update.*Unable to locate package.*Install Redis 7/);
  expect(error.message).not.toContain('\n');
});

test('where another process installs something, its turn is waited for', async () => {
  const bin = join(folder, 'bin');
  program('sudo', 'shift; exec "$@"');
  program('true', '');
  const other = join(folder, 'other');
  writeFileSync(other, '');
  program(
    'apt-get',
    `[ "$1" = update ] && exit 0
if [ -e ${other} ]; then /bin/rm ${other}; echo "E: Could not get lock /var/lib/dpkg/lock-frontend." >&2; exit 100; fi
printf '#!/bin/sh\\necho "Redis server v=7.2.1"\\n' > ${bin}/redis-server; /bin/chmod 755 ${bin}/redis-server`,
  );
  vi.stubEnv('PATH', bin);
  const lines: string[] = [];
  expect(await findRedis((line) => lines.push(line))).toBe(join(bin, 'redis-server'));
  expect(lines.join('\n')).toContain('another process is installing something');
});

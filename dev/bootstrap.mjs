// @ts-check
// What `npm run dev`, `stack`, `test`, `bench` and others begin with: in a fresh clone nothing is installed or compiled yet, so
// this file has no dependency. Checks Node, installs, builds, and then becomes the command that was asked for.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** `alone`: it uses the data in .holdfast/, so it runs once at a time. @type {Record<string, { file: string, args: string[], alone?: true }>} */
const COMMANDS = {
  dev: { file: 'dist/dev/main.js', args: [], alone: true },
  stack: { file: 'dist/dev/stack-main.js', args: [], alone: true },
  bench: { file: 'dist/bench/main.js', args: [] },
  growth: { file: 'dist/bench/growth/main.js', args: [] },
  faults: { file: 'dist/test/faults/run.js', args: [] },
  keys: { file: 'dist/config/keys-main.js', args: [] },
  test: { file: 'node_modules/vitest/vitest.mjs', args: ['run'] },
};

function nodeIsNewEnough() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22;
}

/** Whether node_modules holds what package-lock.json asks for, by npm's own record of what it installed. */
function installed() {
  const record = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(record)) return false;
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const present = JSON.parse(readFileSync(record, 'utf8')).packages;
  const same = (/** @type {string} */ path) => present[path]?.version === wanted[path]?.version;
  return (
    Object.keys(present).every(same) &&
    Object.keys(wanted).every((path) => path === '' || wanted[path].optional || same(path))
  );
}

/** @param {typeof import('./lock.mjs')['withLock']} withLock @param {typeof import('./run-tool.mjs')['runTool']} runTool */
async function install(withLock, runTool) {
  if (installed()) return 0;
  return withLock({ path: join(root, '.holdfast', 'install.lock'), what: 'installing' }, async () => {
    if (installed()) return 0;
    console.log('install: npm ci (the first time this takes a minute or two)');
    const npm = process.env.npm_execpath;
    const [command, first] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []];
    const args = [...first, 'ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
    const code = await runTool({ what: 'npm ci', command, args, cwd: root });
    if (code !== 0) console.error('install: "npm ci" failed; nothing was started');
    return code;
  });
}

/** @param {string} name @param {string[]} rest @returns {Promise<number>} */
async function main(name, rest) {
  const command = COMMANDS[name];
  if (!command) {
    console.error(`usage: node dev/bootstrap.mjs ${Object.keys(COMMANDS).join(' | ')}`);
    return 2;
  }
  if (!nodeIsNewEnough()) {
    console.error(`Holdfast needs Node 20.19+, 22.12+ or newer; this is ${process.versions.node}.`);
    return 1;
  }
  process.chdir(root);
  const { holdLock, withLock } = await import('./lock.mjs');
  const other = command.alone && holdLock(join(root, '.holdfast', 'run.lock'));
  if (other) {
    console.error(`"npm run dev" or "npm run stack" of this clone runs already (process ${other}).`);
    return 1;
  }
  const { runTool } = await import('./run-tool.mjs');
  const installing = await install(withLock, runTool);
  if (installing !== 0) return installing;
  const { build } = await import('./build.mjs');
  const building = await build();
  if (building !== 0) {
    console.error('build: failed; nothing was started');
    return building;
  }
  const file = join(root, command.file);
  if (!existsSync(file)) {
    console.error(
      `${command.file} is missing: there is no ${command.file.replace(/^dist\/(.*)\.js$/, '$1.ts')}`,
    );
    return 1;
  }
  // In this very process: signals and the exit code need no forwarding.
  process.argv = [process.execPath, file, ...command.args, ...rest];
  await import(pathToFileURL(file).href);
  return 0;
}

const [name = '', ...rest] = process.argv.slice(2);
const code = await main(name, rest);
if (code !== 0) process.exitCode = code;

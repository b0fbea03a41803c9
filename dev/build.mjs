// @ts-check
// `npm run build`: compiles to dist/, copies what is not TypeScript, bundles the workflows and the console. Does nothing when nothing
// changed. Plain JavaScript, for it is what compiles the rest.
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bundleConsole, consoleFiles } from './bundle-console.mjs';
import { withLock } from './lock.mjs';
import { runTool } from './run-tool.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
const stampFile = join(dist, '.build-stamp');
/** The workflows, and the workflows with what makes them part of a trace. */
const bundles = [
  { file: join(dist, 'workflows', 'bundle.js'), interceptors: [] },
  {
    file: join(dist, 'workflows', 'bundle-traced.js'),
    interceptors: ['@temporalio/interceptors-opentelemetry/lib/workflow-interceptors'],
  },
];

/** The folders that tsconfig.build.json compiles. @returns {string[]} */
function sourceFolders() {
  return JSON.parse(readFileSync(join(root, 'tsconfig.build.json'), 'utf8')).include;
}

/** @param {string} folder @returns {string[]} every file below, as absolute paths in a fixed order */
function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/** Changes when any input of the build was touched. */
function inputs() {
  const hash = createHash('sha256');
  const single = ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json'].map((name) =>
    join(root, name),
  );
  const folders = [...sourceFolders(), 'console'];
  for (const file of [...single, ...folders.flatMap((folder) => filesBelow(join(root, folder)))]) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${relative(root, file)} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

function sources() {
  return sourceFolders().flatMap((folder) => filesBelow(join(root, folder)));
}

/** @param {string} source */
function outputOf(source) {
  return join(dist, relative(root, source)).replace(/\.ts$/, '.js');
}

function upToDate() {
  if (!existsSync(stampFile) || readFileSync(stampFile, 'utf8') !== inputs()) return false;
  if (!consoleFiles(dist).every((file) => existsSync(file))) return false;
  return !hasWorkflows() || bundles.every(({ file }) => existsSync(file));
}

function hasWorkflows() {
  return existsSync(join(root, 'workflows', 'index.ts'));
}

async function compile() {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const args = [tsc, '-p', 'tsconfig.build.json'];
  const run = () => runTool({ what: 'tsc', command: process.execPath, args, cwd: root });
  let code = await run();
  const missing = () => sources().some((file) => file.endsWith('.ts') && !existsSync(outputOf(file)));
  if (code === 0 && missing()) {
    // Outputs were removed by hand: the incremental compiler does not look.
    rmSync(join(dist, '.tsbuildinfo'), { force: true });
    code = await run();
  }
  return code;
}

/** @param {string} file */
function isBundle(file) {
  return bundles.some((bundle) => file.startsWith(bundle.file)) || consoleFiles(dist).includes(file);
}

/** Outputs whose source is gone would still be found by an import. */
function removeLeftovers() {
  for (const file of filesBelow(dist)) {
    if (!/\.js(\.map)?$/.test(file) || isBundle(file)) continue;
    const source = join(root, relative(dist, file)).replace(/\.js(\.map)?$/, '.ts');
    if (!existsSync(source)) rmSync(file);
  }
}

function copyScripts() {
  for (const file of sources().filter((name) => name.endsWith('.lua'))) {
    mkdirSync(dirname(outputOf(file)), { recursive: true });
    copyFileSync(file, outputOf(file));
  }
}

async function bundleWorkflows() {
  if (!hasWorkflows()) {
    console.log('build: no workflows/index.ts, so no workflow bundle');
    return;
  }
  const hash = createHash('sha256').update(readFileSync(join(root, 'package-lock.json')));
  for (const folder of ['workflows', 'domain', 'config', 'activities']) {
    for (const file of filesBelow(join(dist, folder))) {
      if (file.endsWith('.js') && !bundles.some((bundle) => file === bundle.file)) {
        hash.update(file).update(readFileSync(file));
      }
    }
  }
  const stamp = hash.digest('hex');
  const stampOf = (/** @type {string} */ file) => `${file}.stamp`;
  const stale = bundles.filter(
    ({ file }) =>
      !existsSync(file) || !existsSync(stampOf(file)) || readFileSync(stampOf(file), 'utf8') !== stamp,
  );
  if (stale.length === 0) return;
  console.log('build: bundling the workflows');
  const { bundleWorkflowCode, DefaultLogger } = await import('@temporalio/worker');
  const { resolve: resolveModule } = createRequire(import.meta.url);
  for (const { file, interceptors } of stale) {
    const { code } = await bundleWorkflowCode({
      workflowsPath: join(dist, 'workflows', 'index.js'),
      workflowInterceptorModules: interceptors.map((name) => resolveModule(name)),
      logger: new DefaultLogger('WARN'),
    });
    writeFileSync(`${file}.new`, code);
    renameSync(`${file}.new`, file);
    writeFileSync(stampOf(file), stamp);
  }
}

/** Brings dist/ up to date. @returns {Promise<number>} an exit code; the compiler has said what is wrong */
export async function build() {
  if (upToDate()) return 0;
  return withLock({ path: join(root, '.holdfast', 'build.lock'), what: 'building' }, async () => {
    if (upToDate()) return 0;
    const begin = Date.now();
    const stamp = inputs();
    console.log('build: compiling');
    const code = await compile();
    if (code !== 0) return code;
    removeLeftovers();
    copyScripts();
    await bundleWorkflows();
    const bundled = await bundleConsole(root, dist);
    if (bundled !== 0) return bundled;
    writeFileSync(stampFile, stamp);
    console.log(`build: done in ${((Date.now() - begin) / 1_000).toFixed(1)} s`);
    return 0;
  });
}

if (process.argv[1] && import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
  process.exitCode = await build();
}

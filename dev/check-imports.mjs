// `node dev/check-imports.mjs [folder]`: checks who imports whom, and that no files import each other in a circle.
// Prints every problem and ends with 1 if there are any. The table below is the architecture; docs explain it.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { parseSync, Visitor } from 'oxc-parser';

/** What a folder may import beside itself. `types`: only by `import type`. `packages`: only these, where given. */
const LAYERS = {
  domain: { may: [], packages: [] },
  config: { may: ['domain'] },
  // What the parts tell, as types: only the entries of processes know who counts and traces.
  telemetry: { may: ['domain', 'config'] },
  // How calls are made together, whatever they ask.
  'storage/gather.ts': { may: [] },
  'storage/redis': { may: ['domain', 'config', 'storage/gather.ts'], types: ['telemetry'] },
  'storage/postgres': { may: ['domain', 'config', 'storage/gather.ts'], types: ['telemetry'] },
  'storage/temporal': { may: ['domain', 'config'], types: ['telemetry', 'workflows'] },
  // What takes Redis and Temporal together, and is done by API processes and workers alike.
  'storage/upkeep': { may: ['storage', 'domain', 'config'], types: ['telemetry'] },
  // `npm run migrate`: all that is stored somewhere.
  'storage/migrate-main.ts': { may: ['storage'] },
  service: { may: ['storage', 'domain', 'config'], types: ['telemetry'] },
  api: { may: ['service', 'domain', 'config'], types: ['telemetry'] },
  // A process entry wires the parts together.
  'api/main.ts': { may: ['api', 'service', 'storage', 'telemetry', 'domain', 'config'] },
  // For the programs of its users: nothing of ours runs in them.
  client: { may: [], types: ['api'] },
  // Runs in Temporal's sandbox: only what is deterministic, and nothing heavy.
  workflows: {
    may: ['domain'],
    types: ['activities'],
    packages: ['@temporalio/workflow', '@temporalio/common'],
  },
  // They share the payloads: what a workflow sends is what an activity receives.
  activities: { may: ['storage', 'domain', 'config'], types: ['workflows'] },
  // The worker is a process entry as a whole.
  worker: { may: ['activities', 'workflows', 'storage', 'telemetry', 'config'] },
  // Runs in a browser: what goes over the wire it knows by its types.
  console: { may: [], types: ['api'], packages: ['preact', 'uplot', 'zod'] },
  deploy: { may: [] },
  dev: { may: ['*'] },
  bench: { may: ['*'] },
  test: { may: ['*'] },
};

const SOURCE = /\.(ts|tsx|mts|cts|js|mjs|cjs)$/;
const ROOT = resolve(process.argv[2] ?? '.');

const isInside = (file, folder) => file === folder || file.startsWith(`${folder}/`);

/** The most specific layer that a file belongs to. */
function layerOf(file) {
  return Object.keys(LAYERS)
    .filter((layer) => isInside(file, layer))
    .sort((a, b) => b.length - a.length)[0];
}

function sourceFiles() {
  const folders = [...new Set(Object.keys(LAYERS).map((layer) => layer.split('/')[0]))];
  return folders
    .filter((folder) => statSync(join(ROOT, folder), { throwIfNoEntry: false })?.isDirectory())
    .flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true }).map((name) => join(folder, name)),
    )
    .map((file) => file.split(sep).join('/'))
    .filter((file) => SOURCE.test(file) && !file.includes('node_modules/'))
    .sort();
}

/** Everything a file imports: `{ from, typeOnly }`. Under `verbatimModuleSyntax`, `import { type A }` still runs. */
function importsOf(file) {
  const { program, errors } = parseSync(file, readFileSync(join(ROOT, file), 'utf8'));
  if (errors.length > 0) throw new Error(`${file}: ${errors[0].message}`);
  const found = [];
  const add = (source, typeOnly) => {
    if (typeof source?.value === 'string') found.push({ from: source.value, typeOnly });
  };
  new Visitor({
    ImportDeclaration: (node) => add(node.source, node.importKind === 'type'),
    ExportNamedDeclaration: (node) => add(node.source, node.exportKind === 'type'),
    ExportAllDeclaration: (node) => add(node.source, node.exportKind === 'type'),
    ImportExpression: (node) => add(node.source, false),
    TSImportType: (node) => add(node.source, true),
    TSExternalModuleReference: (node) => add(node.expression, false),
    CallExpression: (node) => {
      if (node.callee.type === 'Identifier' && node.callee.name === 'require') add(node.arguments[0], false);
    },
  }).visit(program);
  return found;
}

/** Why a file of `layer` may not import `target`, or `undefined` if it may. */
function trespass(layer, target, typeOnly) {
  const { may, types = [] } = LAYERS[layer];
  if (may.includes('*') || isInside(target, layer) || may.some((folder) => isInside(target, folder))) return;
  if (!types.some((folder) => isInside(target, folder))) return `${layer} must not import ${target}`;
  if (!typeOnly) return `${layer} may import types only (import type) from ${target}`;
}

function packageTrespass(layer, name) {
  const { packages } = LAYERS[layer];
  if (packages === undefined || packages.some((allowed) => isInside(name, allowed))) return;
  return `${layer} must not import the package ${name}`;
}

const problems = [];
const graph = new Map();
for (const file of sourceFiles()) {
  const layer = layerOf(file);
  if (layer === undefined) {
    problems.push(`${file}: belongs to no folder of the table in dev/check-imports.mjs`);
    continue;
  }
  const targets = new Set();
  for (const { from, typeOnly } of importsOf(file)) {
    let reason;
    if (from.startsWith('.') || from.startsWith('/')) {
      const path = resolve(ROOT, dirname(file), from);
      const target = relative(ROOT, path).split(sep).join('/');
      const isFile = statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
      // Written by the build, so not there yet: nobody but the importer can say what it is.
      if (!isFile && !target.startsWith('dist/')) reason = `imports ${from}, which does not exist`;
      else reason = trespass(layer, target, typeOnly);
      targets.add(target);
    } else {
      reason = packageTrespass(layer, from);
    }
    if (reason !== undefined) problems.push(`${file}: ${reason}`);
  }
  graph.set(file, targets);
}

/** Walks in depth; meeting a file that is still on the way there closes a circle. */
function findCircles() {
  const done = new Set();
  const path = [];
  const walk = (file) => {
    const start = path.indexOf(file);
    if (start >= 0) problems.push(`circle: ${[...path.slice(start), file].join(' → ')}`);
    if (start >= 0 || done.has(file)) return;
    path.push(file);
    for (const target of graph.get(file) ?? []) walk(target);
    path.pop();
    done.add(file);
  };
  for (const file of graph.keys()) walk(file);
}

findCircles();
for (const problem of problems) process.stderr.write(`${problem}\n`);
process.stdout.write(`${graph.size} files checked, ${problems.length} problems with imports\n`);
process.exitCode = problems.length === 0 ? 0 : 1;

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';

const SCRIPT = resolve(import.meta.dirname, '../../dev/check-imports.mjs');
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** Files that others import; none of them imports anything. */
const LEAVES = [
  'domain/entry.ts',
  'config/environment.ts',
  'storage/redis/client.ts',
  'storage/postgres/database.ts',
  'storage/temporal/client.ts',
  'service/read.ts',
  'api/app.ts',
  'workflows/messages.ts',
  'activities/create-activities.ts',
  'worker/options.ts',
  'console/page.ts',
  'dev/stack.ts',
  'bench/load.ts',
  'test/support/services.ts',
];

/** Runs the check on a project of the leaves and the given files. */
function check(files: Record<string, string>): { ok: boolean; problems: string[] } {
  const root = mkdtempSync(join(tmpdir(), 'check-imports-'));
  folders.push(root);
  for (const [file, text] of [
    ...LEAVES.map((leaf) => [leaf, 'export const x = 1;'] as const),
    ...Object.entries(files),
  ]) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  const { status, stderr } = spawnSync(process.execPath, [SCRIPT, root], { encoding: 'utf8' });
  return { ok: status === 0, problems: stderr.split('\n').filter((line) => line !== '') };
}

const target = (from: string, to: string) => `${'../'.repeat(from.split('/').length - 1)}${to}`;

describe('who may import whom', () => {
  test.each([
    ['domain/new.ts', ['domain']],
    ['config/new.ts', ['config', 'domain']],
    ['storage/redis/new.ts', ['storage/redis', 'domain', 'config']],
    ['storage/postgres/migrations/new.ts', ['storage/postgres', 'domain', 'config']],
    ['storage/temporal/new.ts', ['storage/temporal', 'domain', 'config']],
    ['service/new.ts', ['service', 'storage', 'domain', 'config']],
    ['api/routes/new.ts', ['api', 'service', 'domain', 'config']],
    ['api/main.ts', ['api', 'service', 'storage', 'domain', 'config']],
    ['workflows/new.ts', ['workflows', 'domain']],
    ['activities/new.ts', ['activities', 'storage', 'domain', 'config']],
    ['worker/main.ts', ['worker', 'activities', 'workflows', 'storage', 'config']],
    ['console/new.ts', ['console']],
    ['deploy/new.mjs', []],
  ])('%s imports from %j and from nowhere else', (file, allowed) => {
    const { problems } = check({
      [file]: LEAVES.map((leaf, i) => `import { x as x${i} } from '${target(file, leaf)}';`).join('\n'),
    });
    const refused = LEAVES.filter((leaf) => !allowed.some((folder) => leaf.startsWith(`${folder}/`)));
    expect(problems.map((line) => line.split(' ').at(-1))).toEqual(refused);
  });

  test('dev, bench and test import anything', () => {
    const files = ['dev/new.ts', 'bench/new.mjs', 'test/unit/new.test.ts'];
    const text = (file: string) => LEAVES.map((leaf) => `import '${target(file, leaf)}';`).join('\n');
    expect(check(Object.fromEntries(files.map((file) => [file, text(file)])))).toEqual({
      ok: true,
      problems: [],
    });
  });
});

describe('types only', () => {
  const cases = [
    ['storage/temporal', 'workflows/messages.ts'],
    ['workflows', 'activities/create-activities.ts'],
    ['console', 'api/app.ts'],
  ] as const;

  test.each(cases)('%s may import types of %s', (folder, leaf) => {
    const from = target(`${folder}/new.ts`, leaf);
    const forms = [
      `import type { x } from '${from}';`,
      `import type * as all from '${from}';`,
      `export type { x } from '${from}';`,
      `export type X = typeof import('${from}');`,
    ];
    const files = Object.fromEntries(forms.map((text, i) => [`${folder}/new${i}.ts`, text]));
    expect(check(files)).toEqual({ ok: true, problems: [] });
  });

  test.each(cases)('%s must not import values of %s, however it is written', (folder, leaf) => {
    const from = target(`${folder}/new.ts`, leaf);
    const forms = [
      `import { x } from '${from}';`,
      // Under verbatimModuleSyntax this stays as an import that runs the module.
      `import { type x } from '${from}';`,
      `import '${from}';`,
      `export { x } from '${from}';`,
      `export * from '${from}';`,
      `await import('${from}');`,
      `import x = require('${from}');`,
    ];
    const { problems } = check(Object.fromEntries(forms.map((text, i) => [`${folder}/new${i}.ts`, text])));
    const reason = `${folder} may import types only (import type) from ${leaf}`;
    expect(problems).toEqual(forms.map((_, i) => `${folder}/new${i}.ts: ${reason}`));
  });

  test('where not even types are allowed, import type is no way out', () => {
    expect(check({ 'domain/new.ts': "import type { x } from '../config/environment.ts';" }).ok).toBe(false);
    expect(check({ 'service/new.ts': "export type X = import('../api/app.ts').X;" }).ok).toBe(false);
  });
});

describe('packages', () => {
  test('domain imports no package, not even types', () => {
    const names = ['zod', 'node:fs', 'fs', '@temporalio/workflow'];
    expect(
      check({ 'domain/new.ts': names.map((name) => `import type {} from '${name}';`).join('') }).problems,
    ).toEqual(names.map((name) => `domain/new.ts: domain must not import the package ${name}`));
  });

  test('workflows import what is made for workflows, and nothing else', () => {
    const fine = "import { sleep } from '@temporalio/workflow';\nimport '@temporalio/common/lib/errors.js';";
    expect(check({ 'workflows/new.ts': fine }).ok).toBe(true);
    const names = ['zod', 'node:crypto', '@temporalio/activity', '@temporalio/workflow-other'];
    expect(check({ 'workflows/new.ts': names.map((name) => `import '${name}';`).join('') }).problems).toEqual(
      names.map((name) => `workflows/new.ts: workflows must not import the package ${name}`),
    );
  });

  test('other folders import any package', () => {
    expect(check({ 'service/new.ts': "import 'lru-cache'; import 'node:fs';" }).ok).toBe(true);
  });
});

describe('the rest', () => {
  test('files that import each other in a circle are reported, types included', () => {
    const { ok, problems } = check({
      'domain/a.ts': "import { b } from './b.ts';",
      'domain/b.ts': "import type { c } from './c.ts';",
      'domain/c.ts': "export * from './a.ts';",
    });
    expect(ok).toBe(false);
    expect(problems).toEqual(['circle: domain/a.ts → domain/b.ts → domain/c.ts → domain/a.ts']);
  });

  test('two ways to one file are no circle', () => {
    expect(
      check({
        'domain/a.ts': "import './b.ts'; import './c.ts';",
        'domain/b.ts': "import './entry.ts';",
        'domain/c.ts': "import './entry.ts'; import './b.ts';",
      }).ok,
    ).toBe(true);
  });

  test('an import of nothing is reported', () => {
    expect(check({ 'service/new.ts': "import './gone.ts';" }).problems).toEqual([
      'service/new.ts: imports ./gone.ts, which does not exist',
    ]);
  });

  test('a new folder in storage has to be given its place', () => {
    expect(check({ 'storage/files/new.ts': '' }).ok).toBe(false);
  });
});

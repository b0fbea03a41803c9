import { execFile } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ExampleBlock, exampleBlocks, patternOf } from '../support/doc-examples.ts';
import { temporaryFolder } from '../support/services.ts';
import { call, entryUrl, type System, startSystem } from '../support/system.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const SEPARATOR = '=== end of example ===';
const page = readFileSync(join(ROOT, 'docs', 'http.md'), 'utf8');
const blocks = exampleBlocks(page);
const about = (text: string) => {
  const block = blocks.find(({ examples }) => examples.some(({ command }) => command.includes(text)));
  if (block === undefined) throw new Error(`no example is about ${text}`);
  return block;
};
const discard = about('/discard');
const keys = about('npm run keys');
const schemathesis = about('schemathesis');

let system: System;
beforeAll(async () => {
  system = await startSystem();
});
afterAll(() => system.stop());

type Replacements = Readonly<Record<string, string>>;

/** Runs the commands as one script. Answers what each of them printed. */
async function run(commands: readonly string[], replacements: Replacements): Promise<readonly string[]> {
  const script = commands
    .map((command) => Object.entries(replacements).reduce((text, [a, b]) => text.replaceAll(a, b), command))
    .map((command) => `${command}\necho; echo '${SEPARATOR}'`)
    .join('\n');
  const { stdout } = await promisify(execFile)('bash', ['-c', script], { cwd: ROOT, timeout: 60_000 });
  return stdout.replaceAll('\r', '').split(SEPARATOR);
}

async function answersAsShown({ examples, line }: ExampleBlock, more: Replacements = {}): Promise<void> {
  const replacements = { 'localhost:8080': new URL(system.url).host, ...more };
  const outputs = await run(
    examples.map(({ command }) => command),
    replacements,
  );
  for (const [i, { command, expected }] of examples.entries()) {
    const printed = (outputs[i] ?? '').split('\n');
    for (const text of expected) {
      const shown = printed.some((one) => patternOf(text).test(one));
      expect(shown, `line ${line}: ${command}\nshould print\n${text}\nand printed\n${outputs[i]}`).toBe(true);
    }
  }
}

test.each(blocks.filter((block) => ![discard, keys, schemathesis].includes(block)))(
  'the examples of docs/http.md from line $line on answer as shown',
  (block) => answersAsShown(block),
);

test('the discard of docs/http.md answers as shown, of a write that waits', async () => {
  const session = await system.db.connect();
  // Rows can be read, and nobody can write them.
  await session.query('BEGIN; LOCK TABLE documents IN SHARE MODE');
  try {
    const ada = entryUrl(system.url, 'carts', 'ada');
    const { version } = (await call('PUT', ada, { body: 1 })).json;
    const { pending } = (await call('GET', `${ada}/explanation`)).json;
    await answersAsShown(discard, {
      '1790000000000018': String(version),
      'write-behind:p00:s03': String(pending.workflowId),
    });
  } finally {
    await session.query('ROLLBACK');
    session.release();
  }
});

test('the key of docs/http.md is made and let in as shown', async () => {
  const config = join(temporaryFolder('keys'), 'holdfast.config.json');
  copyFileSync(join(ROOT, 'holdfast.config.json'), config);
  const [create, use] = keys.examples.map(({ command }) => command);
  const [printed = ''] = await run([create ?? ''], { 'holdfast.config.json': config });
  const key = /hf_\w+/.exec(printed)?.[0] ?? '';
  const api = await system.startApi({ HOLDFAST_CONFIG: config });
  const { host } = new URL(api.url);
  const [listed] = await run([use ?? ''], { 'localhost:8080': host, 'hf_5c1f…': key });
  const { collections } = JSON.parse(listed ?? '') as { collections: { name: string }[] };
  expect(collections.map(({ name }) => name).sort()).toEqual(['carts', 'orders']);
  expect((await call('GET', `${api.url}/v1/collections`)).status).toBe(401);
});

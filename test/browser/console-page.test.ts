import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HoldfastError } from '../../domain/errors.ts';
import { startApi } from '../api/fixture.ts';
import { testKey } from '../support/api-key.ts';
import { accessibilityProblems, openPage, startBrowser } from '../support/browser.ts';
import { findChromium } from '../support/chromium.ts';
import { FAKE_BATCH, FAKE_SUMMARY } from '../support/fake-operations.ts';

const chromium = await findChromium();
const skipped = 'missing' in chromium ? ` (skipped: ${chromium.missing})` : '';
const inBrowser = test.skipIf(skipped !== '');

let browser: Browser;
beforeAll(async () => {
  if ('path' in chromium) browser = await startBrowser(chromium.path);
});
afterAll(() => browser?.close());

const verdict = (page: Page) => page.getByRole('heading', { level: 1 });

inBrowser(
  `where there are API keys, the page asks for one, and keeps it in the tab alone${skipped}`,
  async () => {
    const [ops, reader] = [testKey('ops', ['ops']), testKey('reader', ['read:*'])];
    const { port } = await startApi({}, { keys: [ops.key, reader.key] });
    const { page, errors } = await openPage(browser);
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    await page.goto(`http://127.0.0.1:${port}/console`);
    const input = page.getByLabel('API key with the scope ops');
    await input.waitFor();
    expect(await accessibilityProblems(page)).toEqual([]);
    for (const [typed, refusal] of [
      ['hf_short', 'An API key is "hf_" and 64 digits from 0 to f.'],
      [`hf_${'0'.repeat(64)}`, 'The Authorization header holds no API key that is known here.'],
      [reader.token, 'This API key lacks the scope "ops".'],
    ] as const) {
      await input.fill(typed);
      await page.keyboard.press('Enter');
      await page.getByRole('alert').filter({ hasText: refusal }).waitFor();
    }
    await input.fill(` ${ops.token} `);
    await page.getByRole('button', { name: 'Open the console' }).click();
    await page.getByText('entries wait').waitFor();
    await page.reload();
    await page.getByText('entries wait').waitFor();
    expect(asked.filter((url) => url.includes('hf_'))).toEqual([]);
    expect(await page.evaluate('[localStorage.length, document.cookie]')).toEqual([0, '']);
    await page.getByRole('button', { name: 'Forget the key' }).click();
    await input.waitFor();
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
    expect(errors).toEqual([]);
  },
);

inBrowser(
  `while the API does not answer, the page says so and how old its figures are, until it is back${skipped}`,
  async () => {
    const { port, server } = await startApi();
    const { page, errors } = await openPage(browser);
    await page.goto(`http://127.0.0.1:${port}/console`);
    await page.getByText(/^Live, /).waitFor();
    server.close();
    server.closeAllConnections();
    await verdict(page).filter({ hasText: 'The API does not answer, so nobody knows' }).waitFor();
    await page.getByText(/The figures are \d+ s old, of /).waitFor();
    expect(await page.title()).toBe('no answer · Holdfast');
    expect(await page.getByText('3 entries wait').count()).toBe(0);
    expect(await accessibilityProblems(page)).toEqual([]);
    server.listen(port, '127.0.0.1');
    await page.getByText(/^Live, /).waitFor();
    expect(errors).toEqual([]);
  },
);

inBrowser(`an action that fails says why beside its button, and can be pressed again${skipped}`, async () => {
  const { port, holdfast } = await startApi();
  let attempts = 0;
  holdfast.operations.retryBatch = async () => {
    attempts += 1;
    if (attempts === 1)
      throw new HoldfastError('batch-not-waiting', 'An attempt is under way at this moment.');
    return { state: 'retrying', pending: 1 };
  };
  const { page, errors } = await openPage(browser);
  await page.goto(`http://127.0.0.1:${port}/console`);
  const row = page.getByRole('row', { name: /write-behind:p00:s03/ });
  await row.getByRole('button', { name: /^Retry now/ }).click();
  await row.getByRole('status').filter({ hasText: 'An attempt is under way at this moment.' }).waitFor();
  await page.keyboard.press('Enter');
  await row.getByRole('status').filter({ hasText: 'It is being tried again.' }).waitFor();
  expect(attempts).toBe(2);
  expect(errors).toEqual([]);
});

inBrowser(`where late writes have no workflow, the list says so${skipped}`, async () => {
  const { port, holdfast } = await startApi();
  const batches = { ...FAKE_SUMMARY.batches, retrying: 0, staged: 2 };
  holdfast.operations.summary = async () => ({ ...FAKE_SUMMARY, batches, oldestAgeSeconds: 30 });
  const staged = { ...FAKE_BATCH, state: 'staged', oldestWriteAt: null, lastError: null } as const;
  holdfast.operations.listBatches = async () => ({ batches: [staged], next: null });
  const { page, errors } = await openPage(browser);
  await page.goto(`http://127.0.0.1:${port}/console`);
  await page.getByText(/^None has a workflow yet: 2 batches are staged in Redis/).waitFor();
  expect(errors).toEqual([]);
});

inBrowser(`batches that Temporal does not know are no reason to start workers${skipped}`, async () => {
  const { port, holdfast } = await startApi();
  const batches = { ...FAKE_SUMMARY.batches, retrying: 0, unknown: 1 };
  holdfast.operations.summary = async () => ({ ...FAKE_SUMMARY, batches, notInTemporal: 1 });
  const unknown = { ...FAKE_BATCH, state: 'unknown', attempts: 0, lastError: null, uiUrl: null } as const;
  holdfast.operations.listBatches = async () => ({ batches: [unknown], next: null });
  const { page, errors } = await openPage(browser);
  await page.goto(`http://127.0.0.1:${port}/console`);
  await verdict(page)
    .filter({ hasText: 'Temporal does not know 1 batch that Redis gave it: its writes may be lost.' })
    .waitFor();
  const row = page.getByRole('row', { name: /write-behind:p00:s03/ });
  await row.getByText(/Temporal does not know it.*read those entries and write them again/).waitFor();
  expect(await page.getByText(/Nothing is lost|does a worker run/).count()).toBe(0);
  expect(await accessibilityProblems(page)).toEqual([]);
  expect(errors).toEqual([]);
});

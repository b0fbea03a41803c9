import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import {
  accessibilityProblems,
  openPage,
  screenshot,
  startBrowser,
  type WatchedPage,
} from '../support/browser.ts';
import { findChromium } from '../support/chromium.ts';
import { type PostgresTestServer, startPostgres } from '../support/services-postgres.ts';
import { startTemporal, type TemporalTestServer } from '../support/services-temporal.ts';
import { call, entryUrl, type System, startSystem } from '../support/system.ts';

const chromium = await findChromium();
const skipped = 'missing' in chromium ? ` (skipped: ${chromium.missing})` : '';
if (skipped !== '') console.log(`The console is not tested in a browser${skipped}.`);
const inBrowser = test.skipIf(skipped !== '');

let postgres: PostgresTestServer;
let temporal: TemporalTestServer;
let system: System;
let browser: Browser;
let watched: WatchedPage;
let page: Page;

beforeAll(async () => {
  if (!('path' in chromium)) return;
  [postgres, temporal, browser] = await Promise.all([
    startPostgres(),
    startTemporal({ webUi: true }),
    startBrowser(chromium.path),
  ]);
  system = await startSystem({
    databaseUrl: postgres.url,
    temporalAddress: temporal.address,
    env: {
      PARTITIONS: '2',
      TEMPORAL_UI_URL: temporal.uiUrl,
      TEMPORAL_TIMEOUT_MS: '2000',
      CLOCK_TOLERANCE_MS: '100',
      REQUEST_DEADLINE_MS: '6000',
      POSTGRES_TIMEOUT_MS: '1000',
    },
  });
  watched = await openPage(browser);
  page = watched.page;
});
beforeEach(() => page?.goto(`${system.url}/console`).then(() => {}));
afterAll(async () => {
  await browser?.close();
  await system?.stop();
  await Promise.all([postgres?.stop(), temporal?.stop()]);
});
afterEach(() => expect(watched?.errors ?? []).toEqual([]));

const put = (key: string, body: unknown, durability = 'queued') =>
  call('PUT', entryUrl(system.url, 'carts', key), { body, headers: { prefer: `durability=${durability}` } });
const verdict = (words: string | RegExp) => page.getByRole('heading', { level: 1, name: words });
const section = (name: string) => page.getByRole('region', { name, exact: true });
const rows = () => section('Batches in trouble').locator('tbody tr');
const title = (words: RegExp) =>
  until(async () => words.test(await page.title()), { what: `the title ${words}`, timeoutMs: 15_000 });
const shown = (locator: Locator, timeout = 15_000) => locator.first().waitFor({ timeout });
const gone = (locator: Locator, timeout = 15_000) => locator.first().waitFor({ state: 'detached', timeout });

/** Presses Tab until the focus is there, as somebody without a mouse does. */
async function tabTo(target: Locator): Promise<void> {
  for (let i = 0; i < 200; i += 1) {
    if (await target.evaluate((node) => node === node.ownerDocument.activeElement)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error('Tab does not get there');
}

/** The age that the page shows, in s. */
async function shownAge(): Promise<number> {
  const text = (await section('Now').locator('dd').first().textContent()) ?? '';
  const [, minutes = '0', seconds = '0'] = /^(?:(\d+) min ?)?(?:([\d.]+) s)?$/.exec(text) ?? [];
  return Number(minutes) * 60 + Number(seconds);
}

inBrowser(`while all is well, one sentence says so${skipped}`, async () => {
  await put('before', { items: ['tea'] }, 'persisted');
  await shown(verdict('Everything is persisted.'));
  await title(/^all persisted · Holdfast$/);
  await shown(section('Batches in trouble').getByText('None.'));
  await shown(section('Dependencies').getByText('✓ well'));
});

inBrowser(
  `PostgreSQL stops under load: the page says so, and why; back again, a retry clears a batch at once${skipped}`,
  async () => {
    await postgres.stop();
    let writing = true;
    const load = (async () => {
      for (let i = 0; writing; i += 1) {
        await Promise.all(Array.from({ length: 5 }, (_, j) => put(`load-${i}-${j}`, { items: [i] })));
      }
    })();
    await shown(verdict(/^Writes are not reaching PostgreSQL: postgres: .*(ECONNREFUSED|terminated)/));
    await title(/^waiting \d+(\.\d)? s · Holdfast$/);
    const age = await shownAge();
    await until(async () => (await shownAge()) > age + 2, { what: 'the age grows', timeoutMs: 10_000 });
    writing = false;
    await load;
    await shown(rows().getByText('ECONNREFUSED'));
    expect(await rows().first().textContent()).toContain('carts');
    await shown(section('Dependencies').locator('tr.down', { hasText: 'postgres' }));

    await screenshot(page, 'console-outage');
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await accessibilityProblems(page), colorScheme).toEqual([]);
    }
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
    await page.setViewportSize({ width: 1280, height: 900 });
    const [popup] = await Promise.all([
      page.context().waitForEvent('page'),
      page.getByRole('link', { name: 'Open in Temporal UI' }).first().click(),
    ]);
    // Down to the last failure: below it is a stack, with paths of this machine.
    await popup.setViewportSize({ width: 1280, height: 605 });
    await shown(popup.getByText('persistBatch'), 20_000);
    await popup.getByText('Pending Activities').first().click();
    await shown(popup.getByText('ECONNREFUSED'));
    await screenshot(popup, 'temporal-ui-outage');
    await popup.close();

    // One that would wait for long, so that it is the button that brings it on.
    await page.getByRole('button', { name: /^Show all/ }).click();
    const patient = rows().filter({ hasText: /next in ([89]|\d\d) s/ });
    await shown(patient, 30_000);
    const id = (await patient.first().locator('code').textContent()) ?? '';
    await postgres.start();
    await page.getByRole('button', { name: `Retry now ${id}` }).click();
    await gone(rows().filter({ has: page.getByRole('rowheader', { name: id }) }), 4_000);
    // Unless the others went by themselves meanwhile.
    const retryAll = page.getByRole('button', { name: 'Retry all now' });
    await retryAll.click({ timeout: 2_000 }).catch(() => {});
    await shown(verdict('Everything is persisted.'), 40_000);
    await gone(rows());
    await page.evaluate('scrollTo(0, 0)');
    await screenshot(page, 'console-healthy');
  },
);

inBrowser(
  `a batch that PostgreSQL refuses for good is stuck; by keyboard alone it is retried, and goes${skipped}`,
  async () => {
    await system.db.query('ALTER TABLE documents RENAME TO documents_gone');
    await put('homeless', 1);
    await shown(verdict(/^1 batch is stuck: .* \(42P01\)$/));
    await title(/^1 stuck · Holdfast$/);
    const retry = rows()
      .first()
      .getByRole('button', { name: /^Retry now/ });
    await shown(retry);
    await tabTo(retry);
    expect(
      await retry.evaluate((node) => node.ownerDocument.defaultView.getComputedStyle(node).outlineStyle),
    ).toBe('solid');
    await system.db.query('ALTER TABLE documents_gone RENAME TO documents');
    await page.keyboard.press('Enter');
    await gone(rows());
    await shown(verdict('Everything is persisted.'));
    // The button is gone: the focus is where its list was.
    await shown(page.locator('h2#stuck:focus'));
  },
);

inBrowser(
  `a write is discarded while it waits, by name and for a reason; its neighbour is persisted${skipped}`,
  async () => {
    const blocking = await system.db.connect();
    try {
      await blocking.query('BEGIN; LOCK TABLE documents IN SHARE MODE');
      await Promise.all([put('mistake', 1, 'cached'), put('neighbour', 2, 'cached')]);
      const path = `${entryUrl(system.url, 'carts', 'mistake')}/explanation`;
      const workflowId: string = await until(async () => (await call('GET', path)).json.pending?.workflowId, {
        what: 'the workflow of the write',
      });
      await shown(rows(), 20_000);
      await page.getByRole('button', { name: `Discard… writes of ${workflowId}` }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByRole('button', { name: 'Discard 0 writes for good' }).click();
      await shown(dialog.getByText('Choose what to discard.'));
      await dialog.getByRole('checkbox', { name: 'Discard carts/mistake' }).check();
      await dialog.getByRole('button', { name: 'Discard 1 write for good' }).click();
      await shown(dialog.getByText('Give a reason'));
      await dialog.getByLabel('Reason').fill('sent by mistake');
      await dialog.getByRole('button', { name: 'Discard 1 write for good' }).click();
      await shown(dialog.getByText('1 discarded'));
      await page.keyboard.press('Escape');
      await gone(dialog);
    } finally {
      await blocking.query('ROLLBACK');
      blocking.release();
    }
    await shown(verdict('Everything is persisted.'), 30_000);
    expect((await call('GET', entryUrl(system.url, 'carts', 'mistake'))).status).toBe(404);
    expect((await call('GET', entryUrl(system.url, 'carts', 'neighbour'))).text).toBe('2');
    const letters = section('Dead letters');
    await letters.getByLabel('Show', { exact: false }).first().selectOption('discarded');
    await shown(letters.locator('tbody tr', { hasText: 'sent by mistake' }));
    await letters.getByLabel('Show', { exact: false }).first().selectOption('dead');
  },
);

inBrowser(`a poison write is among the dead letters, is corrected there, and is gone${skipped}`, async () => {
  await system.db.query(`ALTER TABLE documents ADD CONSTRAINT no_poison CHECK (value <> '"poison"'::jsonb)`);
  await Promise.all([put('poisoned', '"poison"'), put('its-neighbour', '{"n": 12345678901234567890}')]);
  await shown(verdict('Everything is persisted, but 1 dead letter waits for a decision.'), 20_000);
  const letter = section('Dead letters').locator('tbody tr', { hasText: 'poisoned' });
  await shown(letter.getByText('23514'));
  await letter.getByRole('button', { name: /^Retry carts\/poisoned/ }).click();
  await shown(letter.getByText(/refuse/));
  await letter.getByRole('button', { name: /^Show carts\/poisoned/ }).click();
  const dialog = page.getByRole('dialog');
  const value = dialog.getByLabel('Value, as JSON');
  expect(await value.inputValue()).toBe('"poison"');
  await value.fill('"not JSON');
  await dialog.getByRole('button', { name: 'Write the corrected value' }).click();
  await shown(dialog.getByText(/JSON/).last());
  await value.fill('{"healed": 12345678901234567890}');
  expect(await accessibilityProblems(page)).toEqual([]);
  await dialog.getByRole('button', { name: 'Write the corrected value' }).click();
  await shown(dialog.getByText(/took its place/));
  await dialog.getByRole('button', { name: 'Close' }).click();
  await gone(letter);
  await shown(verdict('Everything is persisted.'));

  await page.getByLabel('Collection').fill('carts');
  await page.getByLabel('Key', { exact: true }).fill('poisoned');
  await page.getByRole('button', { name: 'Look' }).click();
  await shown(
    section('Look at an entry').getByRole('article', { name: 'Row' }).getByText('12345678901234567890'),
  );
  await shown(section('What operators did').getByText('correct-dead-letter'));
});

inBrowser(`ten thousand dead letters are a page like any other${skipped}`, async () => {
  await system.db.query(`
    INSERT INTO dead_letters (collection, key, partition, batch_id, version, kind, value, sqlstate, message)
    SELECT 'carts', 'many-' || n, 0, 'none', n, 'document', '1', '23514', 'refused' FROM generate_series(1, 10000) AS n`);
  const began = performance.now();
  await page.reload();
  const letters = section('Dead letters');
  await shown(letters.getByText('10,000 in all.'));
  await shown(letters.getByText('many-25', { exact: true }));
  expect(performance.now() - began).toBeLessThan(5_000);
  await letters.getByRole('button', { name: 'Next page' }).click();
  await shown(letters.getByText('many-50', { exact: true }));
  expect(await letters.locator('tbody tr').count()).toBe(25);
  await letters.getByRole('button', { name: 'Previous page' }).click();
  await shown(letters.getByText('many-1', { exact: true }));
});

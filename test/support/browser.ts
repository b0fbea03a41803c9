import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const require = createRequire(import.meta.url);
const DOCS = join(import.meta.dirname, '..', '..', 'docs', 'images');

/** A page, and what went wrong in it. */
export interface WatchedPage {
  readonly page: Page;
  /** Errors of scripts, and whatever the Content-Security-Policy forbade. */
  readonly errors: readonly string[];
}

/** Starts a browser without a window. @param path as `findChromium` answers it. */
export function startBrowser(path: string): Promise<Browser> {
  // As root, Chromium has no sandbox; what it is shown is ours.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath: path, args });
}

/** Opens a page whose errors are noted. Ends with the browser. */
export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    reducedMotion: 'reduce',
    ...options,
  });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    const text = message.text();
    // The browser notes each answer of 400 and above; some are what a test is about.
    if (message.type() === 'error' && !text.startsWith('Failed to load resource')) errors.push(text);
  });
  return { page, errors };
}

/** What axe finds wrong with the page as it is, each as `rule: where`. */
export async function accessibilityProblems(page: Page): Promise<string[]> {
  await page.evaluate(await readFile(require.resolve('axe-core/axe.min.js'), 'utf8'));
  const found: { violations: { id: string; nodes: { target: string[] }[] }[] } =
    await page.evaluate('axe.run(document)');
  return found.violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(' ')}`));
}

/** Keeps a picture for docs/ where `SCREENSHOTS` is set: tests leave the tree as it is. */
export async function screenshot(page: Page, name: string): Promise<void> {
  if (!process.env.SCREENSHOTS) return;
  mkdirSync(DOCS, { recursive: true });
  await page.screenshot({ path: join(DOCS, `${name}.png`) });
}

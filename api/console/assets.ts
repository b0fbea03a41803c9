import { readFile } from 'node:fs/promises';
import { type Asset, createAsset, loadedOnce } from '../asset.ts';

interface Assets {
  readonly script: Asset;
  readonly style: Asset;
}

/** Where dev/build.mjs puts them; seen from a source file, which only tests run, dist/ is another one. */
const BUILT = import.meta.url.endsWith('.ts') ? '../../dist/console/' : '../../console/';

/** The files of the console, as they were built: no path of a request ever leads to a file. */
export const consoleAssets = loadedOnce(async (): Promise<Assets> => {
  const built = (name: string) => readFile(new URL(`${BUILT}${name}`, import.meta.url));
  const [script, style] = await Promise.all([
    createAsset('console', 'js', await built('console.js')),
    createAsset('console', 'css', await built('console.css')),
  ]);
  return { script, style };
});

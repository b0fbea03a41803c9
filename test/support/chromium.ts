import { installWithPackageManager, type PackageNames } from '../../dev/services/package-manager.ts';
import { isExecutable, onPath, versionOf } from '../../dev/services/programs.ts';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
/** Where macOS keeps them. */
const APPLICATIONS = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];
const PACKAGES: PackageNames = { 'apt-get': 'chromium', dnf: 'chromium', apk: 'chromium' };
/** As the console is built for (dev/bundle-console.mjs). */
const OLDEST = 123;

/**
 * A Chromium or Chrome that runs: from PATH, else installed by the system's package manager where that needs no question.
 * `{ missing }` says why there is none.
 */
export async function findChromium(): Promise<{ readonly path: string } | { readonly missing: string }> {
  const found = await installed();
  if (found !== undefined) return { path: found };
  const progress = (line: string) => process.stdout.write(`${line}\n`);
  const tried = await installWithPackageManager('Chromium', PACKAGES, progress);
  const now = await installed();
  if (now !== undefined) return { path: now };
  return { missing: `no Chromium or Chrome ${OLDEST}+ on PATH; ${tried}` };
}

async function installed(): Promise<string | undefined> {
  for (const program of [...NAMES.flatMap(onPath), ...APPLICATIONS.filter(isExecutable)]) {
    const version = await versionOf(program, /(\d+)\.(\d+)/);
    if (version !== undefined && version.major >= OLDEST) return program;
  }
  return undefined;
}

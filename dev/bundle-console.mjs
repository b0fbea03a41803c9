// @ts-check
// The console as two files that the API serves: what runs in a browser is compiled and bundled by itself.
import { join } from 'node:path';

/** As old as the browsers may be: what each could two years ago. */
const TARGETS = ['chrome123', 'firefox124', 'safari17.4'];

/** The files of the console. @param {string} dist @returns {string[]} */
export function consoleFiles(dist) {
  return ['console.js', 'console.css'].map((name) => join(dist, 'console', name));
}

/**
 * @param {string} root
 * @param {string} dist
 * @returns {Promise<number>} an exit code; what is wrong was said
 */
export async function bundleConsole(root, dist) {
  const { build } = await import('esbuild');
  try {
    await build({
      entryPoints: [
        { in: join(root, 'console', 'main.tsx'), out: 'console' },
        { in: join(root, 'console', 'console.css'), out: 'console' },
      ],
      outdir: join(dist, 'console'),
      tsconfig: join(root, 'console', 'tsconfig.json'),
      bundle: true,
      minify: true,
      format: 'esm',
      target: TARGETS,
      legalComments: 'none',
      logLevel: 'warning',
    });
    return 0;
  } catch {
    return 1;
  }
}

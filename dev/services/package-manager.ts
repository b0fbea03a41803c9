import { spawn } from 'node:child_process';
import type { Progress } from '../problem.ts';
import { onPath, run } from './programs.ts';

/** What a program is called by each package manager; left out where none of its packages will do. */
export type PackageNames = Readonly<Partial<Record<'apt-get' | 'dnf' | 'apk' | 'brew', string>>>;

/** How each package manager gets a package without asking anything; before it, what it needs. */
const MANAGERS: readonly {
  readonly program: 'apt-get' | 'dnf' | 'apk';
  readonly before: readonly (readonly string[])[];
  readonly install: readonly string[];
}[] = [
  {
    program: 'apt-get',
    before: [['update', '-q']],
    install: ['install', '-q', '-y', '--no-install-recommends'],
  },
  { program: 'dnf', before: [], install: ['install', '-y'] },
  { program: 'apk', before: [], install: ['add', '--no-progress'] },
];

/** What goes before a command so that it runs as root without a question; undefined when that cannot be had. */
async function asRoot(): Promise<readonly string[] | undefined> {
  if (process.getuid?.() === 0) return [];
  const sudo = onPath('sudo')[0];
  if (sudo === undefined) return undefined;
  return run(sudo, ['-n', 'true']).then(
    () => [sudo, '-n'],
    () => undefined,
  );
}

/**
 * Installs a program with the system's package manager where that needs no question.
 * @returns what was tried, as half a sentence. Whether the program is there now is for the caller to look at.
 */
export async function installWithPackageManager(
  what: string,
  packages: PackageNames,
  progress: Progress,
): Promise<string> {
  const brew = onPath('brew')[0];
  if (brew && packages.brew && process.getuid?.() !== 0) {
    return install(what, brew, [['install', packages.brew]], progress);
  }
  const manager = MANAGERS.find(({ program }) => packages[program] && onPath(program).length > 0);
  if (!manager) return `no package manager that we know (${Object.keys(packages).join(', ')})`;
  const prefix = await asRoot();
  if (!prefix) return `${manager.program} needs root, and "sudo -n" is not allowed here`;
  const [command = manager.program, ...args] = [...prefix, manager.program];
  const commands = [...manager.before, [...manager.install, packages[manager.program] ?? '']];
  return install(
    what,
    command,
    commands.map((rest) => [...args, ...rest]),
    progress,
  );
}

async function install(
  what: string,
  command: string,
  commands: readonly (readonly string[])[],
  progress: Progress,
): Promise<string> {
  for (const args of commands) {
    const line = [command, ...args].join(' ');
    progress(`${what}: ${line}`);
    const failure = await showInTurn(command, args, (text) => progress(`${what}:   ${text}`));
    if (failure) return `"${line}" failed (${failure})`;
  }
  return `"${[command, ...(commands.at(-1) ?? [])].join(' ')}" brought no usable version`;
}

/** What package managers say while another process installs: a second `npm run dev`, or a machine's own updates. */
const LOCKED = /\block\b/i;
const LOCKED_FOR_MS = 300_000;
const LOOK_AGAIN_MS = 1_000;

/** {@link show}, again and again while another process has the package manager. */
async function showInTurn(
  command: string,
  args: readonly string[],
  line: Progress,
): Promise<string | undefined> {
  const giveUpAt = Date.now() + LOCKED_FOR_MS;
  for (let said = false; ; said = true) {
    const shown: string[] = [];
    const failure = await show(command, args, (text) => (said ? shown.push(text) : line(text)));
    if (failure === undefined || !LOCKED.test(failure) || Date.now() > giveUpAt) {
      for (const text of shown) line(text);
      return failure;
    }
    if (!said) line('another process is installing something: waiting for it');
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}

/** Runs a command, shows its output, and resolves with what went wrong, if anything. */
function show(command: string, args: readonly string[], line: Progress): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', HOMEBREW_NO_AUTO_UPDATE: '1' },
    });
    let last = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        for (const one of text.split(/[\r\n]+/).filter((part) => part.trim() !== '' && !/\d%$/.test(part))) {
          last = one;
          line(one);
        }
      });
    }
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code === 0 ? undefined : `${signal ?? code}: ${last}`));
  });
}

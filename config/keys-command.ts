import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parseConfigFile } from './config-file.ts';
import { jsonLines } from './json-lines.ts';
import { type ConfiguredKey, digestOf, keysSchema, newApiKey } from './keys.ts';
import { SettingsError } from './problem.ts';

const USAGE = `usage: npm run keys -- create --name NAME --scope SCOPE [--scope SCOPE …] [--rate N [--burst N]] [--write FILE]

Makes an API key and shows it once. Only its digest belongs into the configuration file.

  --name   what the key is called: 1 to 64 of a-z, 0-9, "-" and "_"
  --scope  what it may do: read:COLLECTION, write:COLLECTION, read:*, write:*, ops, codec or metrics
  --rate   requests a second; without it, what RATE_PER_SECOND says
  --burst  requests at once, after a pause; without it, twice the rate
  --write  adds the entry to this configuration file; without it, the entry is only shown`;

export interface KeysCommand {
  readonly args: readonly string[];
  readonly print: (line: string) => void;
  readonly printError: (line: string) => void;
}

/** `npm run keys`. Returns the exit code: 2 where the arguments are wrong, 1 where the file does not take the key. */
export function runKeys({ args, print, printError }: KeysCommand): number {
  if (args.length === 1 && args[0] === '--help') {
    print(USAGE);
    return 0;
  }
  const request = readRequest(args);
  if ('problems' in request) {
    for (const problem of request.problems) printError(problem);
    printError(`\n${USAGE}`);
    return 2;
  }
  const key = newApiKey();
  const entry = request.entry(digestOf(key));
  const { file } = request;
  try {
    // Before the key is shown: what was shown and is not in the file would be taken for a key that works.
    if (file !== undefined) addToFile(file, entry);
  } catch (error) {
    if (error instanceof SettingsError) {
      printError([`No key was made: ${file} does not take it.`, ...error.problems].join('\n  - '));
    } else {
      printError(`No key was made: ${(error as Error).message}`);
    }
    return 1;
  }
  print(
    `The API key "${entry.name}". It is shown this once and kept nowhere: put it where your secrets are.\n`,
  );
  print(`  ${key}\n`);
  if (file === undefined) {
    print('Add this to "keys" in the configuration file (make that a list if there is none):\n');
    print(`${jsonLines(entry, '  ')}\n`);
  } else {
    print(`Its digest is in ${file}.\n`);
  }
  print(
    'It works once the API processes were started again. Requests carry it as "Authorization: Bearer hf_…".',
  );
  return 0;
}

type Request =
  | { readonly entry: (digest: string) => ConfiguredKey; readonly file: string | undefined }
  | { readonly problems: readonly string[] };

function readRequest(args: readonly string[]): Request {
  const [command, ...rest] = args;
  if (command !== 'create') {
    return {
      problems: [command === undefined ? 'a command is missing' : `there is no command "${command}"`],
    };
  }
  let values: ReturnType<typeof readOptions>;
  try {
    values = readOptions(rest);
  } catch (error) {
    return { problems: [(error as Error).message] };
  }
  const { name = '', scope = [], rate, burst, write: file } = values;
  const entry = (digest: string): ConfiguredKey => ({
    name,
    digest: `sha256:${digest}`,
    scopes: scope,
    ...(rate === undefined
      ? {}
      : { rate: { perSecond: Number(rate), ...(burst === undefined ? {} : { burst: Number(burst) }) } }),
  });
  const issues = keysSchema.safeParse([entry('0'.repeat(64))]).error?.issues ?? [];
  const problems = issues.map(({ path, message }) => `--${optionOf(path.slice(1))}: ${message}`);
  if (burst !== undefined && rate === undefined) problems.push('--burst: only together with --rate');
  return problems.length > 0 ? { problems } : { entry, file };
}

function readOptions(args: string[]) {
  return parseArgs({
    args,
    options: {
      name: { type: 'string' },
      scope: { type: 'string', multiple: true },
      rate: { type: 'string' },
      burst: { type: 'string' },
      write: { type: 'string' },
    },
  }).values;
}

/** The option that a place in an entry comes from. */
function optionOf([first, second]: readonly PropertyKey[]): string {
  if (first === 'scopes') return 'scope';
  if (first === 'rate') return second === 'burst' ? 'burst' : 'rate';
  return String(first);
}

/** @throws SettingsError where the file would not be valid with it, or is not now; Error where it cannot be read or written. */
function addToFile(file: string, entry: ConfiguredKey): void {
  const text = readFileSync(file, 'utf8');
  parseConfigFile(file, text);
  const json = JSON.parse(text) as { keys?: ConfiguredKey[] };
  const changed = `${jsonLines({ ...json, keys: [...(json.keys ?? []), entry] })}\n`;
  parseConfigFile(file, changed);
  writeFileSync(file, changed);
}

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';

/** A Lua script as Redis runs it. */
export interface Script {
  readonly name: string;
  readonly source: string;
  readonly sha: string;
}

const folder = new URL('./scripts/', import.meta.url);
const SHARED = new Set([
  'prelude',
  'closing',
  'staging',
  'once',
  'slots',
  'missing',
  'restoring',
  'blocking',
]);
const shared = new Map(
  [...SHARED].map((name) => [name, readFileSync(new URL(`${name}.lua`, folder), 'utf8')]),
);

/** First line, prelude, what the script asks for with `-- @use`, and its own text. */
function load(name: string): Script {
  const text = readFileSync(new URL(`${name}.lua`, folder), 'utf8');
  const end = text.indexOf('\n') + 1;
  const used = [...text.matchAll(/^-- @use (\w+)$/gm)].map((match) => shared.get(match[1] ?? ''));
  const source = [text.slice(0, end), shared.get('prelude'), ...used, text.slice(end)].join('');
  return { name, source, sha: createHash('sha1').update(source).digest('hex') };
}

/** All scripts by name. Read once at start: a missing file is found then, not in the middle of a request. */
export const SCRIPTS: ReadonlyMap<string, Script> = new Map(
  readdirSync(folder)
    .filter((file) => file.endsWith('.lua'))
    .map((file) => file.slice(0, -4))
    .filter((name) => !SHARED.has(name))
    .map((name) => [name, load(name)]),
);

/** @throws Error where there is no such file: a mistake in the code, found by the first test. */
export function script(name: string): Script {
  const found = SCRIPTS.get(name);
  if (found === undefined) throw new Error(`no such Redis script: ${name}.lua`);
  return found;
}

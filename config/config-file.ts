import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { type Collections, collectionsSchema, toCollections } from './collections.ts';
import { type ApiKey, type ConfiguredKey, keysSchema, problemsBetween, toApiKeys } from './keys.ts';
import { SettingsError } from './problem.ts';

const file = z.strictObject({ collections: collectionsSchema, keys: keysSchema.optional() });

export interface ConfigFile {
  readonly collections: Collections;
  /** Empty: everybody who reaches the port may do everything. */
  readonly keys: readonly ApiKey[];
}

/**
 * Reads the configuration file.
 * @throws SettingsError with every problem and where in the file it is.
 */
export function readConfigFile(path: string): ConfigFile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new SettingsError([`HOLDFAST_CONFIG: ${path}: ${(error as Error).message}`]);
  }
  return parseConfigFile(path, text);
}

/** The same for the file's text; `path` is named in problems. @throws SettingsError as {@link readConfigFile}. */
export function parseConfigFile(path: string, text: string): ConfigFile {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new SettingsError([`HOLDFAST_CONFIG: ${path}: ${(error as Error).message}`]);
  }
  const result = file.safeParse(json);
  const problems = [...(result.error?.issues ?? []), ...keyProblems(json)];
  if (!result.success || problems.length > 0) {
    throw new SettingsError(
      problems.map((p) => `HOLDFAST_CONFIG: ${path}: ${p.path.join('.') || 'file'}: ${p.message}`),
    );
  }
  return { collections: toCollections(result.data.collections), keys: toApiKeys(result.data.keys ?? []) };
}

/** As much of a file as is needed to compare its keys with its collections, whatever else is wrong with it. */
const outline = z.object({
  collections: z.record(z.string(), z.unknown()),
  keys: z.array(
    z.object({ name: z.string(), digest: z.string(), scopes: z.array(z.string()) }) satisfies z.ZodType<
      Pick<ConfiguredKey, 'name' | 'digest' | 'scopes'>
    >,
  ),
});

function keyProblems(json: unknown) {
  const found = outline.safeParse(json);
  if (!found.success) return [];
  return problemsBetween(found.data.keys, Object.keys(found.data.collections)).map(({ path, message }) => ({
    path: ['keys', ...path],
    message,
  }));
}

import { EpochChanged, OtherInstallationsRedis } from './errors.ts';

export type ScriptReply = readonly (string | number | readonly (string | number)[])[];

/** Runs a script by its name, with KEYS and ARGV. */
export type RunScript = (
  name: string,
  keys: readonly string[],
  args: readonly (string | number)[],
) => Promise<ScriptReply>;

/** The status word of a reply, or the reply where it is no more. @throws EpochChanged where the script found another epoch. */
export function statusOf(reply: string | number | ScriptReply): string {
  if (typeof reply !== 'object') return String(reply);
  const status = text(reply, 0);
  if (status === 'epoch') throw new EpochChanged(text(reply, 1));
  if (status === 'foreign') throw new OtherInstallationsRedis(text(reply, 1));
  return status;
}

/** A reply of several parts. @throws TypeError where it is a word or a number: a mistake in the code. */
export function partsOf(reply: string | number | ScriptReply): ScriptReply {
  if (typeof reply !== 'object') throw new TypeError(`Redis script: unknown answer ${reply}`);
  return reply;
}

/** @throws TypeError where script and reader disagree: a mistake in the code. */
export function text(reply: ScriptReply, at: number): string {
  const value = reply[at];
  if (typeof value !== 'string') throw new TypeError(`Redis script: text expected at ${at}`);
  return value;
}

/** @throws TypeError where script and reader disagree: a mistake in the code. */
export function number(reply: ScriptReply, at: number): number {
  const value = reply[at];
  if (typeof value !== 'number') throw new TypeError(`Redis script: a number expected at ${at}`);
  return value;
}

/** @throws TypeError where script and reader disagree: a mistake in the code. */
export function list(reply: ScriptReply, at: number): readonly string[] {
  const value = reply[at];
  if (!Array.isArray(value)) throw new TypeError(`Redis script: a list expected at ${at}`);
  return value as readonly string[];
}

/**
 * A list of pairs, as HGETALL has it and our scripts give it. A last one that is not whole is left out.
 * @throws as {@link list}.
 */
export function pairs(reply: ScriptReply, at: number): readonly (readonly [string, string])[] {
  const flat = list(reply, at);
  return Array.from({ length: Math.floor(flat.length / 2) }, (_, i) => [
    flat[2 * i] as string,
    flat[2 * i + 1] as string,
  ]);
}

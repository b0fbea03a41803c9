import { type ParseArgsConfig, parseArgs } from 'node:util';
import { Problem } from './problem.ts';

/** Wrong arguments: the message says which. Whoever shows it shows the usage, too. */
export class UsageProblem extends Problem {}

/** A word after the option, or none; `--help` is known everywhere. */
export const TEXT = { type: 'string' } as const;
export const FLAG = { type: 'boolean', default: false } as const;

const HELP = { help: { ...FLAG, short: 'h' } } as const;

type Options = NonNullable<ParseArgsConfig['options']>;
type Values<O extends Options> = ReturnType<typeof parseArgs<{ options: O & typeof HELP }>>['values'];

/** The values of these options, and `help`. @throws UsageProblem */
export function parsed<O extends Options>(args: readonly string[], options: O): Values<O> {
  try {
    return parseArgs({ args: [...args], options: { ...options, ...HELP } }).values;
  } catch (error) {
    throw new UsageProblem((error as Error).message);
  }
}

/** The value of `--name`, a number within the limits. @throws UsageProblem */
export function numberOf(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && value >= min && value <= max) return value;
  throw new UsageProblem(`--${name}: "${text}" is not a number from ${min} to ${max}`);
}

/** The value of `--name`, a whole number within the limits. @throws UsageProblem */
export function integerOf(name: string, text: string, min: number, max: number): number {
  const value = numberOf(name, text, min, max);
  if (Number.isInteger(value)) return value;
  throw new UsageProblem(`--${name}: "${text}" is not a whole number`);
}

/** The parts between commas, each read by `one`. @throws UsageProblem where one comes twice */
export function listOf<T>(name: string, text: string, one: (text: string) => T): T[] {
  const values = text.split(',').map((part) => one(part.trim()));
  if (new Set(values).size < values.length) throw new UsageProblem(`--${name}: "${text}" repeats itself`);
  return values;
}

/** Reads one of these words. @throws UsageProblem, when it reads another */
export function oneOf<T extends string>(name: string, known: readonly T[]): (text: string) => T {
  return (text) => {
    const found = known.find((value) => value === text);
    if (found !== undefined) return found;
    throw new UsageProblem(`--${name}: "${text}" is not one of ${known.join(', ')}`);
  };
}

/** Something the person at the keyboard can mend: shown as its message alone, without a stack. */
export class Problem extends Error {
  override readonly name = 'Problem';
}

/** Tells the person what is going on, one line at a time. */
export type Progress = (line: string) => void;

/** The text to show for any error: one line for a `Problem` or a settings error, the stack for what is a bug. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.name === 'Problem' || error.name === 'SettingsError'
    ? error.message
    : (error.stack ?? error.message);
}

/** Settings that cannot be used: every problem found, one line each, so that one restart mends them all. */
export class SettingsError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      ['Holdfast cannot start with these settings:', ...problems.map((line) => `  - ${line}`)].join('\n'),
    );
    this.name = 'SettingsError';
    this.problems = problems;
  }
}

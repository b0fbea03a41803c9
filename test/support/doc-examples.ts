/** A command of a documentation page, and what the page says it answers. */
export interface Example {
  readonly command: string;
  /** Lines of its output that must be there, as {@link patternOf} takes them. */
  readonly expected: readonly string[];
}

/** The examples of one fenced block, which are one script. */
export interface ExampleBlock {
  /** Of the fence, counted from 1. */
  readonly line: number;
  readonly examples: readonly Example[];
}

/**
 * The ```sh blocks of a Markdown page. A comment right below a command says what it answers, one that begins with a space goes
 * on with the line above; other comments are for the reader.
 */
export function exampleBlocks(markdown: string): readonly ExampleBlock[] {
  const lines = markdown.split('\n');
  return lines.flatMap((text, i) => {
    if (text !== '```sh') return [];
    const length = lines.slice(i + 1).indexOf('```');
    return [{ line: i + 1, examples: examplesOf(lines.slice(i + 1, i + 1 + length)) }];
  });
}

function examplesOf(lines: readonly string[]): readonly Example[] {
  const examples: { command: string; expected: string[] }[] = [];
  let current: { command: string; expected: string[] } | undefined;
  for (const line of lines) {
    if (line === '') {
      current = undefined;
    } else if (!line.startsWith('#')) {
      if (current !== undefined && !isWhole(current.command)) current.command += `\n${line}`;
      else {
        current = { command: line, expected: [] };
        examples.push(current);
      }
    } else if (line.startsWith('#  ') && current !== undefined) {
      current.expected.push(`${current.expected.pop() ?? ''}${line.slice(3).trimStart()}`);
    } else {
      current?.expected.push(line.slice(2));
    }
  }
  return examples;
}

/** Whether a command ends here: no quote is open, and no backslash asks for the next line. */
function isWhole(command: string): boolean {
  return command.split("'").length % 2 === 1 && !command.endsWith('\\');
}

/** What differs from one run to the next: `…` stands for anything, and a version, a batch and a time for their likes. */
const VARYING: readonly (readonly [RegExp, string])[] = [
  [/…/g, '.*'],
  [/\d{16}/g, '\\d{16}'],
  [/\d{4}-\d\d-\d\dT[\d:]+\\\.\d{3}Z/g, '\\d{4}-\\d\\d-\\d\\dT[\\d:]+\\.\\d{3}Z'],
  [/"\d+-[a-z0-9]+\\\.p\d\d\\\.\d+"/g, '"[-\\w.]+"'],
  [/write-behind:p\d\d:s\d\d/g, 'write-behind:p\\d\\d:s\\d\\d'],
];

/** Matches a whole line of output that is as the page shows it. */
export function patternOf(expected: string): RegExp {
  const escaped = expected.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${VARYING.reduce((text, [what, by]) => text.replace(what, by), escaped)}$`);
}

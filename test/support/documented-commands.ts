/** A command of a Markdown file, with what the file says of its output. */
export interface DocumentedCommand {
  /** The headings `##` it stands below. */
  readonly section: string;
  readonly command: string;
  /** The lines of the comment right below it, without `# `. */
  readonly shown: readonly string[];
}

/**
 * The commands of all blocks that begin with ```` ```sh ````. A comment right below a command shows what it prints; one that begins a
 * block or follows an empty line explains what comes, and is skipped.
 */
export function documentedCommands(markdown: string): DocumentedCommand[] {
  const found: DocumentedCommand[] = [];
  for (const [, section = '', text = ''] of markdown.matchAll(/^## (.*)\n([\s\S]*?)(?=^## |$(?![\s\S]))/gm)) {
    for (const [, block = ''] of text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)) {
      for (const paragraph of block.split(/\n\n+/)) {
        const lines = paragraph
          .replace(/^(#.*\n)+/, '')
          .trimEnd()
          .split('\n');
        const end = lines.findIndex((line) => line.startsWith('#'));
        const command = lines.slice(0, end === -1 ? lines.length : end).join('\n');
        const shown = end === -1 ? [] : lines.slice(end).map((line) => line.replace(/^# ?/, '').trim());
        if (command !== '') found.push({ section, command, shown });
      }
    }
  }
  return found;
}

/** What nobody can foresee, in text whose dots are escaped: versions, times, request ids, batch ids. */
const UNFORESEEN: readonly (readonly [sample: RegExp, form: string])[] = [
  [/1790\d{12}/g, '\\d{16}'],
  [/\d{4}-\d\d-\d\dT[\d:.\\]+Z/g, '\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z'],
  [/[0-9a-f]{12}-[0-9a-z]{2}(?=")/g, '[0-9a-f]{12}-[0-9a-z]+'],
  [/\d+-[0-9a-f]{8}[0-9a-z]{8}\\\.p\d\d\\\.\d+(?=")/g, '\\d+-[0-9a-f]{8}[0-9a-z]{8}\\.p\\d\\d\\.\\d+'],
];

/** A line as a pattern: `…` stands for anything. A write may have got further than is shown (`docs/decisions/0005`). */
function patternOf(line: string): string {
  let pattern = line
    .replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')
    .replaceAll('…', '[^]*')
    .replace('HTTP/1\\.1 202 Accepted', 'HTTP/1\\.1 (202 Accepted|200 OK)')
    .replaceAll('"state":"queued"', '"state":"(queued|persisted)"')
    .replaceAll('"state":"cached"', '"state":"(cached|queued|persisted)"')
    .replaceAll('"status":202', '"status":20[02]');
  for (const [sample, form] of UNFORESEEN) pattern = pattern.replaceAll(sample, form);
  return pattern;
}

/**
 * What of `shown` is not in `output`: the status line and headers, each on a line of its own, and the body, whose lines are joined.
 * Of headers and body, what is not shown is not looked at.
 */
export function missingFrom(output: string, shown: readonly string[]): string[] {
  const isHead = (line: string) => /^(HTTP\/1\.1 |[a-z-]+: )/.test(line);
  const body = shown.filter((line) => !isHead(line)).join('');
  const text = output.replaceAll('\r', '');
  const expected = [
    ...shown.filter(isHead).map((line) => `^${patternOf(line)}$`),
    ...(body === '' ? [] : [`^${patternOf(body)}\\n?(?![^])`]),
  ];
  return expected.filter((pattern) => !new RegExp(pattern, 'm').test(text));
}

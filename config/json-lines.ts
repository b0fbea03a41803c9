const WIDTH = 100;

/** JSON for people, as the shipped configuration file is written: what fits on a line is on one, but for the whole. */
export function jsonLines(value: unknown, indent = ''): string {
  return indent + lines(value, indent, WIDTH - indent.length);
}

/** `room`: how many characters the first line has left. */
function lines(value: unknown, indent: string, room: number): string {
  const short = oneLine(value);
  if (typeof value !== 'object' || value === null || (indent !== '' && short.length <= room)) return short;
  const inner = `${indent}  `;
  const members = Array.isArray(value)
    ? value.map((item) => lines(item, inner, WIDTH - inner.length))
    : Object.entries(value).map(([name, member]) => {
        const label = `${JSON.stringify(name)}: `;
        return label + lines(member, inner, WIDTH - inner.length - label.length);
      });
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  return [open, members.map((member) => inner + member).join(',\n'), indent + close].join('\n');
}

function oneLine(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(oneLine).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([name, member]) => `${JSON.stringify(name)}: ${oneLine(member)}`,
  );
  return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`;
}

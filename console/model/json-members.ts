/** What ends a value that is no text and no bracket. */
const END_OF_VALUE = /[,\]}\s]|$/g;

/**
 * The members of a JSON object, each as the text that it has there: `JSON.parse` would round numbers beyond 2^53. Answers
 * `undefined` for what is no object.
 * @param json valid JSON, as the API sends it.
 */
export function jsonMembers(json: string): Record<string, string> | undefined {
  let at = json.search(/\S/);
  if (json[at] !== '{') return undefined;
  // Without a prototype: "__proto__" is a name like any other.
  const members: Record<string, string> = Object.create(null);
  at = skipSpace(json, at + 1);
  while (at < json.length && json[at] !== '}') {
    const name = at;
    at = endOfValue(json, at);
    const key = JSON.parse(json.slice(name, at)) as string;
    const value = skipSpace(json, json.indexOf(':', at) + 1);
    at = endOfValue(json, value);
    members[key] = json.slice(value, at);
    at = skipSpace(json, at);
    if (json[at] === ',') at = skipSpace(json, at + 1);
  }
  return members;
}

function skipSpace(json: string, from: number): number {
  let at = from;
  while (/\s/.test(json[at] ?? '')) at += 1;
  return at;
}

/** Where the value that begins at `from` ends. */
function endOfValue(json: string, from: number): number {
  const first = json[from];
  if (first === '"') return endOfText(json, from);
  if (first !== '{' && first !== '[') {
    END_OF_VALUE.lastIndex = from;
    return END_OF_VALUE.exec(json)?.index ?? json.length;
  }
  let depth = 0;
  let at = from;
  while (at < json.length) {
    const character = json[at];
    if (character === '"') {
      at = endOfText(json, at);
      continue;
    }
    if (character === '{' || character === '[') depth += 1;
    if (character === '}' || character === ']') depth -= 1;
    at += 1;
    if (depth === 0) return at;
  }
  return json.length;
}

function endOfText(json: string, from: number): number {
  let at = from + 1;
  while (at < json.length && json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
  return at + 1;
}

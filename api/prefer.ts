import { ACKNOWLEDGEMENTS, type Acknowledgement } from '../domain/acknowledgement.ts';

/** What clients send nearly always: one preference and nothing else. */
const USUAL: ReadonlyMap<string, Acknowledgement> = new Map(
  ACKNOWLEDGEMENTS.map((level) => [`durability=${level}`, level]),
);

const DURABILITY = /^durability[ \t]*=[ \t]*(?:"(\w+)"|(\w+))[ \t]*(?:;|$)/i;

/**
 * The level asked for by `Prefer: durability=…` (RFC 7240). As the RFC demands, preferences and levels that are not known
 * are ignored, and the first of several counts.
 */
export function preferredDurability(header: string | string[] | undefined): Acknowledgement | undefined {
  if (header === undefined) return undefined;
  const text = typeof header === 'string' ? header : header.join(',');
  const usual = USUAL.get(text);
  if (usual !== undefined) return usual;
  for (const preference of splitList(text)) {
    const match = DURABILITY.exec(preference);
    if (match !== null) return ACKNOWLEDGEMENTS.find((level) => level === (match[1] ?? match[2]));
  }
  return undefined;
}

/** Splits at the commas outside of quoted strings. */
function splitList(text: string): string[] {
  const items: string[] = [];
  let quoted = false;
  let start = 0;
  for (let i = 0; i <= text.length; i += 1) {
    const c = text[i];
    if (quoted && c === '\\') i += 1;
    else if (c === '"') quoted = !quoted;
    else if (i >= text.length || (c === ',' && !quoted)) {
      items.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  return items;
}

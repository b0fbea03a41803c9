import { endOfValue, isObjectAt, walkMembers } from './json-parts.ts';
import { skipSpace } from './json-token.ts';

/** What a patch says of a value: `null` removes it, a text replaces it, a map changes the members of an object. */
type Change = null | string | ReadonlyMap<string, MemberChange>;

interface MemberChange {
  /** The name as the patch writes it, with the colon. */
  readonly head: string;
  readonly change: Change;
}

/**
 * A patch (RFC 7396) applied to a value, text to text. What the patch does not touch is copied as it stands: the order of
 * members, spaces, and numbers beyond 2^53. Replaced members keep their place, new ones follow the others. Both are JSON:
 * the target may also be a row that somebody changed by SQL, deeper than any request may be. Time is linear in both texts.
 */
export function mergePatch(target: string, patch: string): string {
  const { change } = readChange(patch, skipSpace(patch, 0));
  const start = skipSpace(target, 0);
  if (change === null || typeof change === 'string' || !isObjectAt(target, start)) return fresh(change);
  const { text, end } = changed(target, start, change);
  return target.slice(0, start) + text + target.slice(end);
}

/** Recursion is bounded by the depth that a request's body may have. */
function readChange(patch: string, start: number): { readonly change: Change; readonly end: number } {
  if (!isObjectAt(patch, start)) {
    const end = endOfValue(patch, start);
    const text = patch.slice(start, end);
    return { change: text === 'null' ? null : text, end };
  }
  const members = new Map<string, MemberChange>();
  const end = walkMembers(patch, start, ({ name, nameStart, valueStart }) => {
    const inner = readChange(patch, valueStart);
    members.set(name, { head: patch.slice(nameStart, valueStart), change: inner.change });
    return inner.end;
  });
  return { change: members, end };
}

/** The object in `target` at `start`, changed; and where it ends. */
function changed(
  target: string,
  start: number,
  changes: ReadonlyMap<string, MemberChange>,
): { readonly text: string; readonly end: number } {
  const kept: string[] = [];
  const found = new Set<string>();
  // From the brace or comma before a member, so that the space around it stays with it.
  let from = start + 1;
  let last = from;
  let lastKept = false;
  const end = walkMembers(target, start, ({ name, valueStart }) => {
    const member = changes.get(name);
    const before = target.slice(from, valueStart);
    if (lastKept) kept.push(`${kept.pop()}${target.slice(last, from - 1)}`);
    let valueEnd: number;
    let value: string | undefined;
    if (member !== undefined) found.add(name);
    if (member?.change instanceof Map && isObjectAt(target, valueStart)) {
      ({ text: value, end: valueEnd } = changed(target, valueStart, member.change));
    } else {
      valueEnd = endOfValue(target, valueStart);
      if (member === undefined) value = target.slice(valueStart, valueEnd);
      else if (member.change !== null) value = fresh(member.change);
    }
    lastKept = value !== undefined;
    if (value !== undefined) kept.push(before + value);
    last = valueEnd;
    from = skipSpace(target, valueEnd) + 1;
    return valueEnd;
  });
  const added = [...changes].filter(([name, { change }]) => change !== null && !found.has(name));
  const members = [...kept, ...added.map(([, member]) => member.head + fresh(member.change))];
  // The space before the brace, usually a line break.
  return { text: `{${members.join(',')}${target.slice(last, end - 1)}}`, end };
}

/** A change as a value of its own: members that are null remove nothing here, and are left out. Arrays keep theirs. */
function fresh(change: Change): string {
  if (change === null) return 'null';
  if (typeof change === 'string') return change;
  const members = [...change.values()].filter((member) => member.change !== null);
  return `{${members.map((member) => member.head + fresh(member.change)).join(',')}}`;
}

/** From the first code point that has no UTF-8 form to the last. */
const FIRST_SURROGATE = 0xd800;
const LAST_SURROGATE = 0xdfff;
const LAST_CODE_POINT = 0x10ffff;

/**
 * The first text, in the order of UTF-8 bytes, that comes after everything that begins with `prefix`; `undefined` where
 * nothing does. UTF-8 sorts as its code points do, so that is the prefix with its last code point raised by one; one that is
 * the highest there is cannot be raised, and is left out.
 */
export function afterPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0);
  while (points.at(-1) === LAST_CODE_POINT) points.pop();
  const last = points.pop();
  if (last === undefined) return undefined;
  const next = last + 1;
  return String.fromCodePoint(
    ...points,
    next >= FIRST_SURROGATE && next <= LAST_SURROGATE ? LAST_SURROGATE + 1 : next,
  );
}

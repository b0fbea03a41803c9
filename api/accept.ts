/** One range of an `Accept` header: a type, `type/*` or `*\/*`. */
interface Range {
  readonly type: string;
  readonly refused: boolean;
}

/** How a quality of 0 is written: "not this". */
const REFUSED = /;[ \t]*q=0(?:\.0{0,3})?[ \t]*(?:;|$)/i;

/**
 * Whether `Accept` lets one of these media types pass (RFC 9110). Parameters other than `q` are not looked at, so that
 * `application/json; charset=utf-8` is JSON. What is no range at all counts for nothing.
 */
export function accepts(header: string, types: readonly string[]): boolean {
  const ranges = header.split(',').flatMap((text): Range[] => {
    const type = (text.split(';', 1)[0] ?? '').trim().toLowerCase();
    return type === '' ? [] : [{ type, refused: REFUSED.test(text) }];
  });
  if (ranges.length === 0) return true;
  return types.some((type) => {
    // The most specific range decides.
    for (const name of [type, `${type.slice(0, type.indexOf('/'))}/*`, '*/*']) {
      const found = ranges.filter((range) => range.type === name);
      if (found.length > 0) return found.some(({ refused }) => !refused);
    }
    return false;
  });
}

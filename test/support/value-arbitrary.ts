import fc from 'fast-check';

const digits = (minLength: number, maxLength: number) =>
  fc.string({ unit: fc.constantFrom('0', '1', '5', '9'), minLength, maxLength, size: 'max' });
const fewOrMost = fc.oneof({ weight: 3, arbitrary: digits(0, 6) }, { weight: 1, arbitrary: digits(40, 48) });

/** Numbers as no program writes them: exponents of every size, zeros at both ends, two zeros. Each is within the limits. */
export const numberText: fc.Arbitrary<string> = fc
  .record({
    minus: fc.constantFrom('', '-'),
    whole: fewOrMost.map((text) => text.replace(/^0+(?=.)/, '') || '0'),
    fraction: fewOrMost.map((text) => (text === '' ? '' : `.${text}`)),
    exponent: fc.option(
      fc.tuple(fc.constantFrom('e', 'E', 'e+', 'e-', 'E-0'), fc.oneof(fc.nat(308), fc.nat(12))),
      { nil: undefined },
    ),
  })
  .map(({ minus, whole, fraction, exponent }) => minus + whole + fraction + (exponent?.join('') ?? ''));

/** Strings of all characters, some of them escaped that need not be. */
const stringText: fc.Arbitrary<string> = fc
  .tuple(fc.string({ unit: 'binary', maxLength: 8 }), fc.boolean())
  .map(([text, escaped]) => {
    const plain = JSON.stringify(text.replaceAll('\0', ''));
    if (!escaped) return plain;
    const units = Array.from({ length: text.length }, (_, i) => text.charCodeAt(i)).filter(
      (unit) => unit > 0,
    );
    return `"${units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')}"`;
  });

const space = fc.string({ unit: fc.constantFrom(' ', '\n'), maxLength: 6 });

const { value } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(numberText, stringText, fc.constantFrom('null', 'true', '{}', '[]')),
    fc.tuple(space, fc.array(tie('value'), { maxLength: 6 })).map(([s, v]) => `[${s}${v.join(`${s},${s}`)}]`),
    fc
      .tuple(space, fc.dictionary(fc.string({ maxLength: 4 }), tie('value'), { maxKeys: 6 }))
      .map(([s, members]) => {
        const texts = Object.entries(members).map(
          ([name, text]) => `${JSON.stringify(name)}${s}:${s}${text}`,
        );
        return `{${texts.join(`,${s}`)}${s}}`;
      }),
  ),
}));

/** The text of a value in every spelling, with spaces; nearly always fine to store. */
export const valueText: fc.Arbitrary<string> = value;

/** An object with such a member, repeated: some are far smaller than `bytes`, some about as large. */
export function documentText(bytes: number): fc.Arbitrary<string> {
  return fc.tuple(value, fc.nat(bytes * 2)).map(([text, size]) => {
    const times = Math.max(1, Math.floor(size / (text.length + 1)));
    return `{"a":[${Array.from({ length: times }, () => text).join(',')}]}`;
  });
}

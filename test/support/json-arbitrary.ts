import fc from 'fast-check';

/** Pieces of JSON and of what looks like it, put together at random: near the border between the two. */
export const jsonLikeText: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '"a"', '"b":', '"a":', ' ', '\n', '\t', '[]', '{}'),
      fc.constantFrom(
        'null',
        'true',
        'false',
        'tru',
        '0',
        '-',
        '1',
        '01',
        '1.5',
        '.',
        'e',
        'E+',
        '1e5',
        '1e309',
      ),
      fc.constantFrom(
        '\\',
        '\\u',
        '\\u0000',
        '\\u00e9',
        '\\ud83d',
        '\\ude00',
        '\\"',
        '\\x',
        '\ud83d',
        '\ude00',
        '😀',
      ),
      fc.string({ unit: 'binary', maxLength: 3 }),
    ),
    { maxLength: 12 },
  )
  .map((pieces) => pieces.join(''));

/** Real JSON text in which some characters were removed, replaced, repeated or put in. */
export const mutatedJson: fc.Arbitrary<string> = fc
  .tuple(
    fc.json({ maxDepth: 4, stringUnit: 'binary' }),
    fc.array(fc.tuple(fc.nat(), fc.nat(2), fc.constantFrom(...'{}[]:,"\\0e-. \n\0au'.split(''), '"a":1,')), {
      maxLength: 3,
    }),
  )
  .map(([json, edits]) =>
    edits.reduce((text, [place, removed, put]) => {
      const at = place % (text.length + 1);
      return text.slice(0, at) + put + text.slice(at + removed);
    }, json),
  );

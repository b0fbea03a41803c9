import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createEventReader } from '../../console/model/server-sent-events.ts';

const STREAM =
  'retry: 2000\n\n: a comment\nevent: summary\ndata: {"a":1}\n\ndata:one\r\ndata: two\r\n\r\nevent: empty\n\nid: 7\rdata\r\rdata: cut off';
const EVENTS = [
  { event: 'summary', data: '{"a":1}' },
  { event: 'message', data: 'one\ntwo' },
  { event: 'message', data: '' },
];

test('a stream gives the same events wherever it is cut', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(STREAM.length)), (cuts) => {
      const read = createEventReader();
      const ends = [...cuts.sort((a, b) => a - b), STREAM.length];
      expect(ends.flatMap((end, i) => read(STREAM.slice(ends[i - 1] ?? 0, end)))).toEqual(EVENTS);
    }),
  );
});

import { readBody } from '../json-body.ts';
import { jsonResponse } from '../json-response.ts';
import type { Route } from '../route.ts';
import { payloadsAnswer, payloadsRequest } from '../schemas/payloads.ts';
import type { Shape } from '../schemas/shape.ts';

/** Some payloads as large as Temporal takes them. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;

const EXAMPLES = {
  'a payload in the clear': {
    payloads: [{ metadata: { encoding: 'anNvbi9wbGFpbg==' }, data: 'eyJhIjoxfQ==' }],
  },
} as const;

/** `POST /codec/decode`: Temporal's remote codec protocol, with which its Web UI shows what is compressed or encrypted. */
export const decodePayloads: Route = codecRoute('decode', {
  summary: 'Payloads of Temporal as people can read them',
  description:
    'The remote codec protocol of Temporal: set `…/codec` as the codec endpoint of its Web UI or command line. What is not encoded comes back as it is.',
});

/** `POST /codec/encode`: the other way, for what a person sends from the Web UI. */
export const encodePayloads: Route = codecRoute('encode', {
  summary: 'Payloads as Holdfast writes them to Temporal',
  description: 'Compressed where they are long, encrypted where `PAYLOAD_ENCRYPTION_KEYS` is set.',
});

function codecRoute(
  way: 'encode' | 'decode',
  words: { readonly summary: string; readonly description: string },
): Route {
  return {
    method: 'post',
    path: `/codec/${way}`,
    effect: 'read',
    access: 'codec',
    operation: {
      id: `${way}Payloads`,
      tag: 'Codec',
      ...words,
      body: { type: 'application/json', required: true, schema: payloadsRequest, examples: EXAMPLES },
      answers: { 200: { description: 'The payloads, in their order.', schema: payloadsAnswer } },
      problems: [],
    },
    handler:
      ({ holdfast }) =>
      async (c, deadlineAt) => {
        const { payloads } = await readBody(c, payloadsRequest, { maxBytes: MAX_BODY_BYTES, deadlineAt });
        const answer = { payloads: await holdfast.payloads[way](payloads) } satisfies Shape<
          typeof payloadsAnswer
        >;
        return jsonResponse(c, JSON.stringify(answer));
      },
  };
}

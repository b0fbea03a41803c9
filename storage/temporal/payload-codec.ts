import { promisify } from 'node:util';
import { constants, deflate, deflateSync, inflate } from 'node:zlib';
import type { Payload, PayloadCodec } from '@temporalio/common';
// CommonJS without names that Node.js could see.
import proto from '@temporalio/proto';
import type { Environment } from '../../config/environment.ts';
import type { PayloadKey } from '../../config/payload-keys.ts';
import { decrypt, ENCRYPTED, encrypt, KEY_ID } from './payload-encryption.ts';

const { Payload: Message } = proto.temporal.api.common.v1;

/** As the codec of Temporal's Go SDK has it: the whole payload, deflated. */
const COMPRESSED = 'binary/zlib';

/** Far above any payload that Temporal takes: who sends more to be inflated means no good. */
const MAX_INFLATED_BYTES = 16 * 1024 * 1024;

/** Compressed, then encrypted; and once more each, where somebody encoded what was encoded already. */
const MAX_LAYERS = 4;

const FASTEST = { level: constants.Z_BEST_SPEED };

const deflated = promisify(deflate);
const inflated = promisify(inflate);

export type CodecSettings = Pick<Environment, 'PAYLOAD_COMPRESS_FROM_BYTES' | 'PAYLOAD_ENCRYPTION_KEYS'>;

/**
 * What payloads look like in Temporal: compressed where they are long, encrypted where there is a key. Anything is decoded
 * by what it says of itself, whatever the settings: processes of neighbouring settings understand each other, and what is not
 * encoded passes as it is.
 */
export function createPayloadCodec(settings: CodecSettings): PayloadCodec {
  const { PAYLOAD_COMPRESS_FROM_BYTES: from, PAYLOAD_ENCRYPTION_KEYS: keys } = settings;
  const [current] = keys;
  const known = new Map<string, PayloadKey>(keys.map((key) => [key.id, key]));

  async function encode(payload: Payload): Promise<Payload> {
    const long = from > 0 && (payload.data?.length ?? 0) >= from;
    const short = long ? await compress(payload) : payload;
    return current === undefined ? short : seal(short, current);
  }

  async function decode(payload: Payload): Promise<Payload> {
    let inner = payload;
    for (let layer = 0; layer < MAX_LAYERS; layer++) {
      const encoding = text(inner, 'encoding');
      if (encoding === ENCRYPTED) inner = open(inner, known);
      else if (encoding === COMPRESSED) inner = await decompress(inner);
      else break;
    }
    return inner;
  }

  return {
    encode: (payloads) => Promise.all(payloads.map(encode)),
    decode: (payloads) => Promise.all(payloads.map(decode)),
  };
}

/** What is looked at before a long payload is compressed. */
const SAMPLE_BYTES = 4_096;
/** A payload that keeps more than this costs more to compress, on four ways, than Temporal takes to store the difference. */
const WORTH_IT = 0.7;

/** Whether a piece from the middle says that the payload gets much smaller. */
function shrinks(data: Uint8Array): boolean {
  if (data.length < 2 * SAMPLE_BYTES) return true;
  const from = (data.length - SAMPLE_BYTES) >>> 1;
  const sample = deflateSync(data.subarray(from, from + SAMPLE_BYTES), FASTEST);
  return sample.length < WORTH_IT * SAMPLE_BYTES;
}

/** Level 1: a tenth of the bytes of JSON as well as level 6 finds it, in a third of the time. */
async function compress(payload: Payload): Promise<Payload> {
  if (!shrinks(payload.data ?? new Uint8Array())) return payload;
  const data = await deflated(bytesOf(payload), FASTEST);
  return data.length < (payload.data?.length ?? 0)
    ? { metadata: { encoding: encoded(COMPRESSED) }, data }
    : payload;
}

async function decompress({ data }: Payload): Promise<Payload> {
  return Message.decode(await inflated(data ?? new Uint8Array(), { maxOutputLength: MAX_INFLATED_BYTES }));
}

function seal(payload: Payload, key: PayloadKey): Payload {
  return {
    metadata: { encoding: encoded(ENCRYPTED), [KEY_ID]: encoded(key.id) },
    data: encrypt(bytesOf(payload), key),
  };
}

function open(payload: Payload, known: ReadonlyMap<string, PayloadKey>): Payload {
  return Message.decode(decrypt(payload.data ?? new Uint8Array(), text(payload, KEY_ID), known));
}

function bytesOf({ metadata, data }: Payload): Uint8Array {
  return Message.encode({ metadata: metadata ?? {}, data: data ?? new Uint8Array() }).finish();
}

function text({ metadata }: Payload, field: string): string {
  const value = metadata?.[field];
  return value === undefined || value === null ? '' : Buffer.from(value).toString();
}

function encoded(word: string): Uint8Array {
  return Buffer.from(word);
}

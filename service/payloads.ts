import type { Payload, PayloadCodec } from '@temporalio/common';
import type { Environment } from '../config/environment.ts';
import { HoldfastError } from '../domain/errors.ts';
import { UnreadableBatch } from '../storage/temporal/errors.ts';
import { createPayloadCodec } from '../storage/temporal/payload-codec.ts';

/** A payload of Temporal in the JSON form of Protocol Buffers: all bytes in Base64. */
export interface PayloadJson {
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly data?: string | undefined;
}

/**
 * What Temporal's Web UI and command line ask for, so that people can read what this system's processes wrote. Both answer
 * 64 MiB at most, in Base64, else @throws value-too-large.
 */
export interface Payloads {
  /** In their order, as the processes of these settings would write them. @throws invalid-request. */
  encode(payloads: readonly PayloadJson[]): Promise<readonly PayloadJson[]>;
  /** In their order; what is not encoded comes back as it is. @throws invalid-request, which says what cannot be decoded. */
  decode(payloads: readonly PayloadJson[]): Promise<readonly PayloadJson[]>;
}

/** Of an answer, in Base64: a thousand payloads of 16 KB can say that they are 16 MiB each. */
const MAX_CHARACTERS = 64 * 1024 * 1024;

export function createPayloads(environment: Environment): Payloads {
  const codec = createPayloadCodec(environment);
  return {
    encode: (payloads) => converted(codec, 'encode', payloads),
    decode: (payloads) => converted(codec, 'decode', payloads),
  };
}

/** One after the other: each may be large for a moment while it is decoded, whatever comes out. */
async function converted(
  codec: PayloadCodec,
  way: 'encode' | 'decode',
  payloads: readonly PayloadJson[],
): Promise<readonly PayloadJson[]> {
  const answer: PayloadJson[] = [];
  let characters = 0;
  for (const payload of payloads) {
    const done = await convertedOne(codec, way, payload);
    characters += charactersOf(done);
    if (characters > MAX_CHARACTERS) {
      const detail = `The payloads are larger than 64 MiB when they are ${way}d: send fewer of them at once.`;
      throw new HoldfastError('value-too-large', detail);
    }
    answer.push(done);
  }
  return answer;
}

async function convertedOne(
  codec: PayloadCodec,
  way: 'encode' | 'decode',
  payload: PayloadJson,
): Promise<PayloadJson> {
  try {
    const [done = {}] = await codec[way]([fromJson(payload)]);
    return toJson(done);
  } catch (error) {
    const reason = error instanceof UnreadableBatch ? `: ${error.message}; ${error.remedy}` : '';
    throw new HoldfastError('invalid-request', `A payload could not be ${way}d${reason}.`, { cause: error });
  }
}

function charactersOf({ metadata = {}, data = '' }: PayloadJson): number {
  return Object.entries(metadata).reduce(
    (sum, [name, value]) => sum + name.length + value.length,
    data.length,
  );
}

function fromJson({ metadata = {}, data = '' }: PayloadJson): Payload {
  const bytes = Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value, 'base64')]);
  return { metadata: Object.fromEntries(bytes), data: Buffer.from(data, 'base64') };
}

function toJson({ metadata, data }: Payload): PayloadJson {
  const texts = Object.entries(metadata ?? {}).map(([name, value]) => [name, base64(value)]);
  return { metadata: Object.fromEntries(texts), data: base64(data) };
}

function base64(bytes: Uint8Array | null | undefined): string {
  return Buffer.from(bytes ?? []).toString('base64');
}

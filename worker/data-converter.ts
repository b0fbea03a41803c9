import { fileURLToPath } from 'node:url';
import type { DataConverter } from '@temporalio/common';
import type { Environment } from '../config/environment.ts';
import { createPayloadCodec } from '../storage/temporal/payload-codec.ts';

/**
 * How a worker writes and reads payloads. Failures are encoded only where they are encrypted: in the clear, operators read
 * them in the Web UI as they are.
 */
export function dataConverter(environment: Environment): DataConverter {
  const payloadCodecs = [createPayloadCodec(environment)];
  if (environment.PAYLOAD_ENCRYPTION_KEYS.length === 0) return { payloadCodecs };
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const failures = new URL(`./encoded-failures.${extension}`, import.meta.url);
  return { payloadCodecs, failureConverterPath: fileURLToPath(failures) };
}

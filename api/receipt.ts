import { type Acknowledgement, satisfies } from '../domain/acknowledgement.ts';
import type { Receipt } from '../service/receipt.ts';
import type { ApiContext } from './api-env.ts';
import { requestId } from './middleware/request-id.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

/**
 * The answer to a write: `200` (or `201`, where the entry is new) once persisted, `202` before that. `preferred` is the
 * level the client asked for; `Preference-Applied` says that it was reached.
 */
export function receiptResponse(
  c: ApiContext,
  receipt: Receipt,
  preferred: Acknowledgement | undefined,
): Response {
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    etag: `"${receipt.version}"`,
    'x-request-id': requestId(c.env),
    ...SECURITY_HEADERS,
  };
  if (preferred !== undefined && satisfies(receipt.state, preferred)) {
    headers['preference-applied'] = `durability=${preferred}`;
  }
  if (receipt.replayed === true) headers['idempotent-replayed'] = 'true';
  return new Response(receiptJson(receipt), { status: statusOf(receipt), headers });
}

export function statusOf(receipt: Receipt): number {
  if (receipt.state !== 'persisted') return 202;
  return receipt.created === true ? 201 : 200;
}

function receiptJson(receipt: Receipt): string {
  return `{${receiptMembers(receipt)}}`;
}

export function receiptMembers({ collection, key, version, state, value }: Receipt): string {
  const end = value === undefined ? '' : `,"value":${value}`;
  return `"collection":"${collection}","key":${JSON.stringify(key)},"version":${version},"state":"${state}"${end}`;
}

import type { HttpRequest } from './http-client.ts';
import type { Plan } from './plan.ts';

/** How a plan is sent, but for the process and the time. */
export function requestOf(plan: Plan): Omit<HttpRequest, 'url' | 'timeoutMs'> & { readonly path: string } {
  if (plan.together !== undefined) return batchOf([plan, ...plan.together], true);
  if (plan.beside !== undefined) return batchOf([plan, ...plan.beside], false);
  const { operation, collection, key, token, bytes, by, condition, prefer, idempotencyKey, patches } = plan;
  const headers: Record<string, string> = {};
  if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey;
  if (prefer !== undefined) headers.prefer = `durability=${prefer}`;
  if (condition !== undefined) {
    if ('ifVersion' in condition) headers['if-match'] = `"${condition.ifVersion}"`;
    else headers['if-none-match'] = '*';
  }
  const path = `/v1/collections/${collection}/entries/${encodeURIComponent(key)}`;
  switch (operation) {
    case 'read':
      return { method: 'GET', path, headers };
    case 'delete':
      return { method: 'DELETE', path, headers };
    case 'increment':
      return {
        ...{ method: 'POST', path: `${path}/increment`, headers },
        ...(by === undefined ? {} : { body: JSON.stringify({ by }) }),
      };
    case 'put':
      if (patches === true) {
        headers['content-type'] = 'application/merge-patch+json';
        return { method: 'PATCH', path, headers, body: JSON.stringify({ token, patched: { by: token } }) };
      }
      return { method: 'PUT', path, headers, body: putBody(token ?? '', bytes) };
  }
}

/** Operations of one request: `atomic` in one transaction, else each for itself. */
function batchOf(plans: readonly Plan[], atomic: boolean): ReturnType<typeof requestOf> {
  const operations = plans.map(({ operation, collection, key, token = '', by, condition }) => {
    const members = [
      `"op":"${operation}","collection":${JSON.stringify(collection)},"key":${JSON.stringify(key)}`,
      ...(operation === 'put' ? [`"value":${putBody(token, undefined)}`] : []),
      ...(by === undefined ? [] : [`"by":${by}`]),
      ...(condition !== undefined && 'ifVersion' in condition ? [`"ifMatch":${condition.ifVersion}`] : []),
    ];
    return `{${members.join(',')}}`;
  });
  const body = `{"atomic":${atomic},"operations":[${operations.join(',')}]}`;
  const prefer = plans[0]?.prefer;
  const headers: Record<string, string> = prefer === undefined ? {} : { prefer: `durability=${prefer}` };
  return { method: 'POST', path: '/v1/batch', headers, body };
}

/** Every character of it doubles where the text is put into a JSON string once more, as it is on its way to Temporal. */
function putBody(token: string, bytes: number | undefined): string {
  const head = `{"token":${JSON.stringify(token)},"filler":"`;
  const room = bytes === undefined ? 40 : bytes - head.length - 2;
  return `${head}${'\\"'.repeat(room / 2)}${room % 2 === 1 ? 'x' : ''}"}`;
}

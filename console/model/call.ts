import type { Problem } from './wire.ts';

/** What is used of an answer. */
export type Answered = Pick<Response, 'ok' | 'status' | 'body' | 'text'>;

/** The API said no. Its message is what the API wrote for people. */
export class ProblemError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, detail: string) {
    super(detail);
    this.name = 'ProblemError';
    this.status = status;
    this.code = code;
  }
}

export interface CallOptions {
  /** JSON text, sent as it is. */
  readonly body?: string;
  readonly signal?: AbortSignal;
  /** Statuses beside those below 300 whose body is an answer all the same. */
  readonly also?: readonly number[];
}

/** Calls the API that served the page. */
export interface Api {
  /** @throws ProblemError; TypeError where there is no connection; the reason of `signal`. */
  open(method: string, path: string, options?: CallOptions): Promise<Answered>;
  /** The body as text: values keep their numbers. @throws as `open`. */
  text(method: string, path: string, options?: CallOptions): Promise<string>;
  /** The body, parsed. @throws as `open`. */
  json<T>(method: string, path: string, options?: CallOptions): Promise<T>;
}

/** @param key sent with each call, where there is one: never in an address, which proxies and histories keep. */
export function createApi(key: string | undefined, send: typeof fetch = fetch): Api {
  async function open(method: string, path: string, options: CallOptions = {}): Promise<Answered> {
    const { body, signal, also = [] } = options;
    const response = await send(path, {
      method,
      headers: {
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (response.ok || also.includes(response.status)) return response;
    throw problemOf(response.status, await response.text().catch(() => ''));
  }
  const text: Api['text'] = async (...call) => await (await open(...call)).text();
  return { open, text, json: async (...call) => JSON.parse(await text(...call)) };
}

/** Something between page and API may have answered with anything. */
function problemOf(status: number, text: string): ProblemError {
  try {
    const { code, detail, errors = [] } = JSON.parse(text) as Problem;
    const more = errors.map(({ path, message }) => `${path} ${message}`).join('; ');
    return new ProblemError(status, code, more === '' ? detail : `${detail} (${more})`);
  } catch {
    return new ProblemError(status, 'unknown', `The answer was ${status}, without a reason.`);
  }
}

/** What to show of an error of a call. */
export function wordsOf(error: unknown): string {
  return error instanceof TypeError ? 'No connection to the API.' : (error as Error).message;
}

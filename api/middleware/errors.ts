import type { Logger } from 'pino';
import { HoldfastError } from '../../domain/errors.ts';
import type { ApiContext } from '../api-env.ts';
import { HttpError, problemResponse, problemWithoutRequest } from '../problem.ts';
import { requestId } from './request-id.ts';

/** Answers every error a handler ended with. What nobody expected is logged here, and only here, with its stack. */
export function answerError(log: Logger): (error: Error, c: ApiContext) => Response {
  return (error, c) => {
    if (error instanceof HoldfastError && error.code !== 'internal') {
      if (log.isLevelEnabled('debug')) {
        log.debug({ requestId: requestId(c.env), code: error.code }, error.message);
      }
      return problemResponse(c, { ...error.details, code: error.code, detail: error.message });
    }
    if (error instanceof HttpError) {
      return problemResponse(c, { ...error.extras, code: error.code, detail: error.message });
    }
    log.error(
      { requestId: requestId(c.env), err: traces(error) },
      'a request failed for an unexpected reason',
    );
    return problemResponse(c, {
      code: 'internal',
      detail: 'Holdfast made a mistake; its log names the reason under this requestId.',
    });
  };
}

/** Answers what the HTTP adapter refused before there was a request: a target or `Host` that makes no URL. */
export function answerBrokenRequest(log: Logger): (error: unknown) => Response {
  return (error) => {
    if (error instanceof Error && error.name === 'RequestError') {
      return problemWithoutRequest({
        code: 'invalid-request',
        detail:
          'The request target or the Host header is not valid; characters such as "\\" must be percent-encoded.',
      });
    }
    log.error({ err: traces(error) }, 'a request failed before it reached a route');
    return problemWithoutRequest({
      code: 'internal',
      detail: 'Holdfast made a mistake; its log names the reason.',
    });
  };
}

/** What a log may show of an error: not its other members, in which drivers repeat the values they choked on. */
function traces(error: unknown): object {
  if (!(error instanceof Error)) return { message: `something that is no Error was thrown: ${typeof error}` };
  const { name, message, stack, cause } = error;
  return { type: name, message, stack, ...(cause === undefined ? {} : { cause: traces(cause) }) };
}

import type { Socket } from 'node:net';
import { wantsNoBody } from '../head.ts';
import { requestId } from '../middleware/request-id.ts';
import { problemResponse } from '../problem.ts';
import type { Route } from '../route.ts';
import { SECURITY_HEADERS } from '../security-headers.ts';

const EVERY_MS = 1_000;
/** Of one process, all pages together. Each costs next to nothing: they share one look. */
const MAX_STREAMS = 50;
/** A browser connects again after this long. */
const RETRY_MS = 2_000;

/**
 * `GET /ops/v1/events`: the summary as a server-sent event, once a second, until the client goes or the process stops. Not in
 * the OpenAPI document, which has no words for an answer without an end.
 */
export const events: Route = {
  method: 'get',
  path: '/ops/v1/events',
  effect: 'read',
  access: 'ops',
  operation: null,
  handler: ({ holdfast, stopping, log }) => {
    let streams = 0;

    function stream(socket: Socket): ReadableStream<Uint8Array> {
      const encoder = new TextEncoder();
      let timer: NodeJS.Timeout | undefined;
      let ended = false;
      let end = () => {};
      return new ReadableStream<Uint8Array>(
        {
          start(controller) {
            streams += 1;
            end = () => {
              if (ended) return;
              ended = true;
              streams -= 1;
              clearInterval(timer);
              stopping.removeEventListener('abort', close);
            };
            const close = () => {
              if (!ended) controller.close();
              end();
            };
            const send = async () => {
              const summary = await holdfast.operations.summary();
              // Who reads too slowly misses some: the next one says it all.
              if (ended || (controller.desiredSize ?? 0) <= 0) return;
              controller.enqueue(encoder.encode(`event: summary\ndata: ${JSON.stringify(summary)}\n\n`));
            };
            const sendOrEnd = () => {
              // An answer that waits behind another on its connection is not told that this ended: nobody cancels it.
              if (socket.destroyed) return close();
              send().catch((error: unknown) => {
                log.error({ err: error }, 'a stream of events ended');
                close();
              });
            };
            stopping.addEventListener('abort', close);
            if (stopping.aborted) return close();
            controller.enqueue(encoder.encode(`retry: ${RETRY_MS}\n\n`));
            timer = setInterval(sendOrEnd, EVERY_MS);
            sendOrEnd();
          },
          cancel: () => end(),
        },
        { highWaterMark: 4 },
      );
    }

    return async (c) => {
      if (streams >= MAX_STREAMS) {
        const detail = `This process already sends events to ${MAX_STREAMS} clients.`;
        return problemResponse(c, { code: 'overloaded', detail });
      }
      const { incoming } = c.env;
      return new Response(wantsNoBody(incoming) ? null : stream(incoming.socket), {
        headers: {
          'content-type': 'text/event-stream',
          'cache-control': 'no-store',
          'x-accel-buffering': 'no',
          'x-request-id': requestId(c.env),
          ...SECURITY_HEADERS,
        },
      });
    };
  },
};

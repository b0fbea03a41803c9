import {
  context,
  defaultTextMapGetter,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import type { WorkflowClientInterceptor } from '@temporalio/client';
import { OpenTelemetryWorkflowClientInterceptor } from '@temporalio/interceptors-opentelemetry/lib/client/index.js';
import { LRUCache } from 'lru-cache';
import type { BatchId } from '../domain/batch.ts';
import { inSpan } from './in-span.ts';
import type { OpenTelemetry } from './open-telemetry.ts';
import { createStoreTracing } from './store-tracing.ts';
import type { Tracing } from './tracing.ts';

/** Batches whose writes are remembered until they are sealed. */
const BATCHES = 512;
/** A batch may hold thousands of writes; it names so many of their traces. */
const LINKS = 16;

/** The traces of an API process. */
export function createApiTracing({ tracer }: Pick<OpenTelemetry, 'tracer'>): Tracing {
  const writesOf = new LRUCache<BatchId, SpanContext[]>({ max: BATCHES });

  return {
    ...createStoreTracing(tracer),

    request({ method, template, requestId, headers }, work) {
      const attributes = {
        'http.request.method': method,
        'http.route': template,
        'holdfast.request_id': requestId,
      };
      const parent = propagation.extract(ROOT_CONTEXT, headers, defaultTextMapGetter);
      const options = { kind: SpanKind.SERVER, attributes };
      return tracer.startActiveSpan(`${method} ${template}`, options, parent, (span) =>
        inSpan(span, async () => {
          const answer = await work();
          span.setAttribute('http.response.status_code', answer.status);
          if (answer.status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
          return answer;
        }),
      );
    },

    staged(batchId) {
      const span = trace.getActiveSpan();
      if (span?.isRecording() !== true) return;
      span.setAttribute('holdfast.batch_id', batchId);
      const writes = writesOf.get(batchId);
      if (writes === undefined) writesOf.set(batchId, [span.spanContext()]);
      else if (writes.length <= LINKS) writes.push(span.spanContext());
    },

    batch(batchId, attributes, work) {
      const [first, ...others] = writesOf.get(batchId) ?? [];
      writesOf.delete(batchId);
      const parent = first === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, first);
      const options = {
        attributes: { 'holdfast.batch_id': batchId, ...attributes },
        links: others.map((other) => ({ context: other })),
      };
      return tracer.startActiveSpan('offer batch', options, parent, (span: Span) => inSpan(span, work));
    },

    detached: (work) => context.with(ROOT_CONTEXT, work),

    client: startsWithin(new OpenTelemetryWorkflowClientInterceptor({ tracer })),
  };
}

/** Only what belongs to a trace: the background asks Temporal all the time. */
function startsWithin(interceptor: OpenTelemetryWorkflowClientInterceptor): WorkflowClientInterceptor {
  const traced = () => trace.getActiveSpan()?.isRecording() === true;
  return {
    start: (input, next) => (traced() ? interceptor.start(input, next) : next(input)),
    startWithDetails: (input, next) => (traced() ? interceptor.startWithDetails(input, next) : next(input)),
    startUpdate: (input, next) => (traced() ? interceptor.startUpdate(input, next) : next(input)),
    query: (input, next) => (traced() ? interceptor.query(input, next) : next(input)),
    describe: (input, next) => (traced() ? interceptor.describe(input, next) : next(input)),
  };
}

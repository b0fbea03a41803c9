import { SpanKind, type Tracer, trace } from '@opentelemetry/api';
import { inSpan } from './in-span.ts';
import type { StoreTracing } from './tracing.ts';

/** Calls of Redis and PostgreSQL, as parts of whatever trace is under way. */
export function createStoreTracing(tracer: Tracer): StoreTracing {
  return {
    call(name, attributes, work) {
      if (trace.getActiveSpan()?.isRecording() !== true) return work();
      return tracer.startActiveSpan(name, { kind: SpanKind.CLIENT, attributes }, (span) =>
        inSpan(span, work),
      );
    },
  };
}

import { DiagLogLevel, diag, type Tracer, trace } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { envDetectorSync, Resource } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider, type SpanProcessor } from '@opentelemetry/sdk-trace-node';
import type { Logger } from 'pino';

/** OpenTelemetry, running. */
export interface OpenTelemetry {
  readonly tracer: Tracer;
  readonly processor: SpanProcessor;
  readonly resource: Resource;
  /** The trace and span under way, for log lines; nothing where there are none. */
  logFields(): object;
  /** Sends what is left, for a second at most. */
  stop(): Promise<void>;
}

const STOP_MS = 1_000;

/**
 * Sends spans by OTLP over HTTP, as JSON. Endpoint, headers, sampling, batching and resource are the official variables
 * (`OTEL_EXPORTER_OTLP_…`, `OTEL_TRACES_SAMPLER`, `OTEL_BSP_…`, `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`).
 */
export function startOpenTelemetry(serviceName: string, log: Logger): OpenTelemetry {
  const tell = (message: string) => log.warn({ component: 'opentelemetry' }, message.slice(0, 300));
  const quiet = () => {};
  const logger = { error: tell, warn: tell, info: quiet, debug: quiet, verbose: quiet };
  diag.setLogger(logger, DiagLogLevel.WARN);
  const resource = Resource.default()
    .merge(new Resource({ 'service.name': serviceName }))
    .merge(new Resource(envDetectorSync.detect().attributes));
  const processor = new BatchSpanProcessor(new OTLPTraceExporter());
  const provider = new NodeTracerProvider({ resource, spanProcessors: [processor] });
  // Not the baggage that comes with a request: it may hold anything, and would stay in the histories of workflows.
  provider.register({ propagator: new W3CTraceContextPropagator() });
  log.info('traces are sent by OTLP');
  return {
    tracer: provider.getTracer('holdfast'),
    processor,
    resource,
    logFields() {
      const span = trace.getActiveSpan()?.spanContext();
      return span === undefined ? {} : { trace_id: span.traceId, span_id: span.spanId };
    },
    async stop() {
      await Promise.race([
        provider.shutdown().catch(() => {}),
        new Promise((resolve) => setTimeout(resolve, STOP_MS).unref()),
      ]);
    },
  };
}

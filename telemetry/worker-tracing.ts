import {
  makeWorkflowExporter,
  OpenTelemetryActivityInboundInterceptor,
  OpenTelemetryActivityOutboundInterceptor,
} from '@temporalio/interceptors-opentelemetry/lib/worker/index.js';
import type { InjectedSinks, WorkerInterceptors } from '@temporalio/worker';
import type { WorkflowInfo } from '@temporalio/workflow';
import type { OpenTelemetry } from './open-telemetry.ts';
import { createStoreTracing } from './store-tracing.ts';
import type { StoreTracing } from './tracing.ts';

/** The traces of a worker: they go on from where a workflow was started. */
export interface WorkerTracing {
  readonly store: StoreTracing;
  readonly activity: NonNullable<WorkerInterceptors['activity']>[number];
  // biome-ignore lint/suspicious/noExplicitAny: as the SDK declares sinks of any kind
  readonly sinks: InjectedSinks<any>;
}

export function createWorkerTracing({ tracer, processor, resource }: OpenTelemetry): WorkerTracing {
  const { fn, ...exporter } = makeWorkflowExporter(processor, resource).export;
  return {
    store: createStoreTracing(tracer),
    activity: (ctx) => ({
      inbound: new OpenTelemetryActivityInboundInterceptor(ctx, { tracer }),
      outbound: new OpenTelemetryActivityOutboundInterceptor(ctx),
    }),
    sinks: {
      // Of all that is known of a workflow, what finds it again: the rest would be sent with every span.
      exporter: { export: { ...exporter, fn: (info: WorkflowInfo, spans: never) => fn(named(info), spans) } },
    },
  };
}

function named({ workflowId, runId }: WorkflowInfo): WorkflowInfo {
  return { workflowId, runId } as WorkflowInfo;
}

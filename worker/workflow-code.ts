import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { WorkerOptions } from '@temporalio/worker';

/** What makes workflows part of a trace, from inside; dev/build.mjs puts the same into the second bundle. */
const TRACING = '@temporalio/interceptors-opentelemetry/lib/workflow-interceptors';

interface WorkflowCode extends Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'> {
  /** For `interceptors` of the worker: in a bundle, they are part of it. */
  readonly interceptorModules: string[];
}

/** A bundle that the build made, else the workflow code itself, which the worker bundles at start (a few seconds). */
export function workflowCode({ traced }: { readonly traced: boolean }): WorkflowCode {
  const name = traced ? 'bundle-traced.js' : 'bundle.js';
  const bundle = fileURLToPath(new URL(`../workflows/${name}`, import.meta.url));
  if (existsSync(bundle)) return { workflowBundle: { codePath: bundle }, interceptorModules: [] };
  // Compiled or not, the workflows have the extension that this file has.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return {
    workflowsPath: fileURLToPath(new URL(`../workflows/index.${extension}`, import.meta.url)),
    interceptorModules: traced ? [createRequire(import.meta.url).resolve(TRACING)] : [],
  };
}

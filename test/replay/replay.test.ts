import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, Worker } from '@temporalio/worker';
import { beforeAll, expect, it } from 'vitest';
import { workflowCode } from '../../worker/workflow-code.ts';
import { installQuietRuntime, workflowBundle } from '../workflow/harness.ts';
import { historyFromJson } from './history-json.ts';
import { HISTORIES, recordHistories } from './record-histories.ts';

const quiet = () => {};
const QUIET = { log: quiet, trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet };

/**
 * Batches wait in Temporal for weeks, so today's code meets histories that older code wrote. A failure here means that a
 * change needs `patched()`. New paths are recorded by `npm run record:histories`, which keeps what is there.
 */
beforeAll(async () => {
  installQuietRuntime();
  if (process.env.RECORD_HISTORIES === '1') await recordHistories();
}, 180_000);

function recorded() {
  return readdirSync(HISTORIES)
    .filter((name) => name.endsWith('.json'))
    .map((name) => ({
      workflowId: name.replace('.json', ''),
      history: historyFromJson(JSON.parse(readFileSync(new URL(name, HISTORIES), 'utf8'))),
    }));
}

async function replay(
  options: Parameters<typeof Worker.runReplayHistories>[0],
): Promise<Map<string, Error | undefined>> {
  const results = new Map<string, Error | undefined>();
  for await (const { workflowId, error } of Worker.runReplayHistories(options, recorded())) {
    results.set(workflowId, error);
  }
  return results;
}

it('every recorded history replays with the workflow code of today', async () => {
  const results = await replay({ workflowBundle: await workflowBundle() });
  expect(results.size).toBeGreaterThanOrEqual(30);
  expect([...results].filter(([, error]) => error !== undefined)).toEqual([]);
});

it('every recorded history replays where traces are made, too: a collector may be configured while batches wait', async () => {
  const { workflowBundle: _, workflowsPath = '', interceptorModules } = workflowCode({ traced: true });
  const bundle = await bundleWorkflowCode({
    workflowsPath,
    workflowInterceptorModules: interceptorModules,
    logger: QUIET,
  });
  const results = await replay({ workflowBundle: bundle });
  expect(bundle.code).toContain('interceptors-opentelemetry');
  expect(results.size).toBeGreaterThanOrEqual(30);
  expect([...results].filter(([, error]) => error !== undefined)).toEqual([]);
});

it('a workflow that does other things than the recorded one is found out', async () => {
  const workflowsPath = fileURLToPath(new URL('./other-workflow.ts', import.meta.url));
  const results = await replay({
    workflowBundle: await bundleWorkflowCode({ workflowsPath, logger: QUIET }),
  });
  expect([...results].filter(([, error]) => error === undefined)).toEqual([]);
});

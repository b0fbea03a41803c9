import { Client, Connection } from '@temporalio/client';
import { Hono } from 'hono';
import { ENTRY, listen } from './listen.ts';
import type { nothing } from './nothing-workflow.ts';

/** Peer (w): Hono and one start of a workflow a request. What "accepted by Temporal" costs at least. */
const connection = await Connection.connect({ address: process.env.TEMPORAL_ADDRESS ?? '' });
const { workflow } = new Client({ connection, namespace: process.env.TEMPORAL_NAMESPACE ?? 'default' });
const taskQueue = 'nothing';
const app = new Hono();

app.put(ENTRY, async (c) => {
  const key = c.req.param('key');
  await workflow.start<typeof nothing>('nothing', {
    taskQueue,
    workflowId: key,
    args: [await c.req.text()],
  });
  return c.json({ key });
});

// Bundling its workflow takes the worker seconds of all processors: not while something is measured.
await workflow.execute<typeof nothing>('nothing', { taskQueue, workflowId: 'first', args: [''] });
listen(app);

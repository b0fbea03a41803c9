import { join } from 'node:path';
import { NativeConnection, Worker } from '@temporalio/worker';

/** The worker of peer (w): it ends the workflows, which would pile up otherwise. */
const connection = await NativeConnection.connect({ address: process.env.TEMPORAL_ADDRESS ?? '' });
const worker = await Worker.create({
  connection,
  namespace: process.env.TEMPORAL_NAMESPACE ?? 'default',
  taskQueue: 'nothing',
  workflowsPath: join(import.meta.dirname, 'nothing-workflow.js'),
});
await worker.run();
await connection.close();

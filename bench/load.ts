import type { LoadRequest } from './load-messages.ts';
import { runLoad } from './run-load.ts';

/** The load generator's process: one request at a time over the channel to its parent, and it ends with that. */
process.on('message', (request: LoadRequest) => {
  runLoad(request).then(
    (result) => process.send?.(result),
    (error: unknown) => process.send?.({ failed: error instanceof Error ? error.message : String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));

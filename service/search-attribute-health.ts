import { withDeadline } from '../storage/temporal/errors.ts';
import { missingAttributes } from '../storage/temporal/search-attributes.ts';
import type { Context } from './context.ts';

const ASK_MS = 1_000;

/**
 * Whether batches can be found by their search attributes: throws where they cannot. Not every server lets everybody ask;
 * then only a start that was refused for them tells.
 */
export function createSearchAttributeCheck({ temporal }: Context): () => Promise<void> {
  const { attributes, client } = temporal;
  const { namespace } = client.options;
  let complete = false;

  return async () => {
    if (complete && !attributes.isRefused()) return;
    const missing = await withDeadline(temporal, ASK_MS, ({ operatorService }) =>
      missingAttributes(operatorService, namespace),
    ).catch(() => undefined);
    complete = missing?.length === 0;
    if (missing !== undefined && missing.length > 0) {
      throw new Error(`the namespace lacks ${missing.join(', ')}: npm run migrate`);
    }
    if (attributes.isRefused()) {
      throw new Error('a start was refused for its search attributes: npm run migrate');
    }
  };
}

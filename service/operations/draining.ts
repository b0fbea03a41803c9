import { HoldfastError } from '../../domain/errors.ts';
import { allPartitions } from '../../domain/partition.ts';
import { decideDraining } from '../../storage/postgres/draining.ts';
import { isDraining, tellDecision } from '../../storage/redis/drain.ts';
import type { Context } from '../context.ts';
import { beforeDeadline } from '../deadline.ts';
import { decisionFailure } from '../decision.ts';
import type { Epochs } from '../epochs.ts';
import type { Operations } from '../operations.ts';

/** Kept back, so that the answer can say which partitions could not be told. */
const ANSWER_MS = 300;
/** A probe does not wait for longer. */
const LOOK_MS = 1_000;

/**
 * The decision is a row in PostgreSQL, so it outlives every restart; each partition's state has a copy, which the scripts that
 * stage a write read anyway. A recovery installs it anew.
 */
export function createDraining(ctx: Context, epochs: Epochs): Pick<Operations, 'setDraining' | 'isDraining'> {
  const partitions = allPartitions(ctx.environment.PARTITIONS);

  return {
    async setDraining(draining, { by }, { deadlineAt }) {
      const decided = await decideDraining(ctx.db, { draining, by }).catch((error: unknown) => {
        throw decisionFailure(error);
      });
      const tellBy = deadlineAt - ANSWER_MS;
      const told = await Promise.allSettled(
        partitions.map((partition) =>
          beforeDeadline(
            epochs.use(partition, tellBy, (epoch) => tellDecision(ctx.redis, partition, epoch, decided)),
            tellBy,
          ),
        ),
      );
      const untold = told.filter(({ status }) => status === 'rejected').length;
      ctx.log.warn(
        { draining, by, untold },
        draining ? 'write-behind writes are refused' : 'writes are taken again',
      );
      if (untold > 0) {
        throw new HoldfastError(
          'dependency-unavailable',
          `The decision is recorded, but Redis could not be told of it for ${untold} of ${partitions.length} partitions: there it holds after the next recovery, or once this request was repeated.`,
          { dependency: 'redis', retryAfterSeconds: 1 },
        );
      }
      return decided;
    },
    async isDraining() {
      const asked = partitions.map((partition) => isDraining(ctx.redis, partition));
      const found = await beforeDeadline(Promise.allSettled(asked), performance.now() + LOOK_MS).catch(
        () => [],
      );
      if (found.some((one) => one.status === 'fulfilled' && one.value)) return true;
      return found.length > 0 && found.every(({ status }) => status === 'fulfilled') ? false : null;
    },
  };
}

import type { Epoch } from '../../domain/epoch.ts';
import type { RedisStore } from './client.ts';
import { partitionKeys } from './keys.ts';
import { statusOf, text } from './reply.ts';

/** A decision about draining. Of two, the one with the higher sequence holds. */
export interface DrainDecision {
  readonly sequence: number;
  readonly draining: boolean;
}

/** As the state of a partition has it; empty where there never was a decision. */
export function encodeDecision({ sequence, draining }: DrainDecision): string {
  return sequence === 0 ? '' : `${sequence} ${draining ? 1 : 0}`;
}

/**
 * Tells a partition of a decision: scripts/drain.lua. Repeating it, or telling of an older one, is harmless.
 * @throws EpochChanged, RedisUnavailable, RedisOutcomeUnknown.
 */
export async function tellDecision(
  redis: RedisStore,
  partition: number,
  epoch: Epoch,
  decision: DrainDecision,
): Promise<void> {
  statusOf(await redis.run('drain', [partitionKeys(partition).state], [epoch, encodeDecision(decision)]));
}

/** Whether a partition refuses writes. @throws EpochChanged, RedisUnavailable, RedisOutcomeUnknown. */
export async function isDraining(redis: RedisStore, partition: number): Promise<boolean> {
  const reply = await redis.run('drain', [partitionKeys(partition).state], ['', '']);
  statusOf(reply);
  return text(reply, 1).endsWith(' 1');
}

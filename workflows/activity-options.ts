import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/create-activities.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** The first, local attempt, waiting for a connection included. Queries of the batch wait for it: keep it short. */
const QUICK_MS = SECOND;

/** One attempt. Well above the statement timeouts inside it, so that it ends with their error and not with a bare timeout. */
const ATTEMPT_MS = 30 * SECOND;

/** How soon an attempt whose worker died is given to another one, and about how soon a running attempt learns of a retry. */
const HEARTBEAT_MS = 10 * SECOND;

const STEADY = { initial: SECOND, max: MINUTE };
const PARKED = { initial: 30 * SECOND, max: 10 * MINUTE };

/**
 * Unlimited attempts with capped exponential backoff. Temporal has no jitter of its own, so every run draws its own
 * intervals: batches that failed together in an outage come back spread out. `Math.random` in workflow code is seeded
 * by the run and gives the same on replay.
 */
export function backoff({ initial, max }: { initial: number; max: number }) {
  const spread = Math.random();
  return {
    initialInterval: Math.round(initial * (0.75 + 0.5 * spread)),
    backoffCoefficient: 2,
    maximumInterval: Math.round(max * (0.75 + 0.25 * spread)),
  };
}

/**
 * The same activities in the three ways a batch runs them. `summary` is shown beside each activity in the Web UI.
 * No schedule-to-close timeout anywhere but on the quick attempt: a batch is never given up.
 */
export function activitiesFor(summary: string) {
  const regular = (intervals: { initial: number; max: number }) =>
    proxyActivities<Activities>({
      startToCloseTimeout: ATTEMPT_MS,
      heartbeatTimeout: HEARTBEAT_MS,
      retry: backoff(intervals),
      // Waiting for the attempt in flight tells whether it committed, and keeps two from running side by side.
      cancellationType: 'WAIT_CANCELLATION_COMPLETED',
      summary,
    });
  return {
    quick: proxyLocalActivities<Activities>({
      scheduleToCloseTimeout: QUICK_MS,
      startToCloseTimeout: QUICK_MS,
      retry: { maximumAttempts: 1 },
      cancellationType: 'WAIT_CANCELLATION_COMPLETED',
      summary,
    }),
    steady: regular(STEADY),
    parked: regular(PARKED),
  };
}

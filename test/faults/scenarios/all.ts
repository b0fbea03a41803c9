import type { Scenario } from '../scenario.ts';
import { crashScenarios } from './crash-points.ts';
import { cutOffScenarios } from './cut-off.ts';
import { dataScenarios } from './data.ts';
import { deliveryScenarios } from './delivery.ts';
import { durableScenarios } from './durable.ts';
import { formerRedisScenarios } from './former-redis.ts';
import { limitScenarios } from './limits.ts';
import { maintenanceScenarios } from './maintenance.ts';
import { operatorScenarios } from './operator.ts';
import { postgresScenarios } from './postgres.ts';
import { processScenarios } from './processes.ts';
import { recoveryScenarios } from './recovery.ts';
import { redisScenarios } from './redis.ts';
import { shutdownScenarios } from './shutdown.ts';
import { temporalScenarios } from './temporal.ts';
import { workflowScenarios } from './workflows.ts';

/** Every scenario, in the order of the table. */
export const SCENARIOS: readonly Scenario[] = [
  ...processScenarios,
  ...redisScenarios,
  ...postgresScenarios,
  ...temporalScenarios,
  ...dataScenarios,
  ...crashScenarios,
  ...shutdownScenarios,
  ...limitScenarios,
  ...deliveryScenarios,
  ...workflowScenarios,
  ...recoveryScenarios,
  ...formerRedisScenarios,
  ...cutOffScenarios,
  ...durableScenarios,
  ...operatorScenarios,
  ...maintenanceScenarios,
];

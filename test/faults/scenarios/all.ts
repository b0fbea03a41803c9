import type { Scenario } from '../scenario.ts';
import { crashScenarios } from './crash-points.ts';
import { dataScenarios } from './data.ts';
import { postgresScenarios } from './postgres.ts';
import { processScenarios } from './processes.ts';
import { redisScenarios } from './redis.ts';
import { temporalScenarios } from './temporal.ts';

/** Every scenario, in the order of the table. */
export const SCENARIOS: readonly Scenario[] = [
  ...processScenarios,
  ...redisScenarios,
  ...postgresScenarios,
  ...temporalScenarios,
  ...dataScenarios,
  ...crashScenarios,
];

import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // Temporal's native part does not run in worker threads.
    pool: 'forks',
    globalSetup: ['test/support/global-setup.ts'],
    // One test may start servers of its own on a machine that is busy with the others.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    teardownTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'main',
          include: ['test/**/*.test.ts'],
          exclude: ['test/workflow/**', 'test/faults/**', 'test/browser/**'],
          sequence: { groupOrder: 0 },
          // Mostly they wait for servers and deadlines: on two cores half the time of one after the other.
          maxWorkers: Math.max(2, availableParallelism() - 1),
        },
      },
      {
        // One after the other: the time-skipping server's clock is global, and faults want the machine for themselves.
        extends: true,
        test: {
          name: 'serial',
          include: ['test/workflow/**/*.test.ts', 'test/faults/**/*.test.ts', 'test/browser/**/*.test.ts'],
          maxWorkers: 1,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: 60_000,
    globalSetup: 'test/support/built-command.ts',
    // Two workers: the reference machine has two cores, and every worker may start its own engine.
    maxWorkers: 2,
  },
});

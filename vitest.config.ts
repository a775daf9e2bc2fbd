import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Numeric suites already use every core; two files at a time keep the machine honest.
    maxWorkers: 2,
    testTimeout: 60_000,
  },
});

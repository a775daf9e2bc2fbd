import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // What is said, not how it is coloured: under CI colours are on even without a terminal.
    env: { NO_COLOR: '1' },
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Numeric suites already use every core; two files at a time keep the machine honest.
    maxWorkers: 2,
    testTimeout: 60_000,
  },
});

/** Every program runs exactly once, however late the call that woke the workers for it arrives. */
import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { CONTROL, KERNEL_NAMES, PROGRAM } from '../../src/engine/cpu/commands.ts';
import { HEAP_START, WorkerPool } from '../../src/engine/cpu/workers.ts';

it.each([1, 2])('a late notification does not run a program again, %d threads', async (threads) => {
  const pool = await WorkerPool.start(threads, false);
  const words = new Int32Array(pool.memory.buffer, PROGRAM.offset, 16);
  const [sum, one] = [0, 1].map((i) => new Float32Array(pool.memory.buffer, HEAP_START + 64 * i, 1));
  one[0] = 1;
  // One command: sum (+)= 1 · one.
  words.set([1, KERNEL_NAMES.indexOf('scale'), 5, HEAP_START, 1, HEAP_START + 64, 1]);
  new Float32Array(pool.memory.buffer, PROGRAM.offset + 4 * 7, 1)[0] = 1;
  await pool.run();
  const control = new Int32Array(pool.memory.buffer, 0, CONTROL.words);
  for (let i = 0; i < 5; i++) {
    await setTimeout(5);
    Atomics.notify(control, CONTROL.generation);
  }
  await setTimeout(20);
  expect(sum[0]).toBe(1);
  await pool.stop();
});

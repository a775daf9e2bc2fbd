import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { CpuDevice } from '../../src/engine/cpu/device.ts';
import { resolveConfig } from '../../src/training/config.ts';
import { trainGroup, type GroupOptions, type Plan } from '../../src/training/group.ts';
import { openRun } from '../../src/training/runs.ts';
import { temporaryFolder } from '../activations/folders.ts';

const folder = temporaryFolder();
const device = await CpuDevice.create({ threads: 1 });
afterAll(async () => {
  await device.close();
  folder.remove();
});

function plan(name: string, settings: Record<string, unknown>): Plan {
  const raw = { acts: 'synthetic:toy-tree', tokens: 4000, batch: 200, width: 24, k: 2, logEvery: 5, ...settings };
  return { name, folder: join(folder.path, 'out', name), config: resolveConfig({ arch: 'topk', ...raw }, 'test') };
}

function options(changes: Partial<GroupOptions> = {}): GroupOptions {
  return { signal: new AbortController().signal, threads: 1, note: () => {}, onProgress: () => {}, ...changes };
}

it('trains runs on one stream, each as if it were alone', async () => {
  const steps: number[] = [];
  const plans = [plan('a', {}), plan('b', { k: 4 })];
  const outcome = await trainGroup(device, plans, options({ onProgress: ({ step }) => steps.push(step) }));
  expect(outcome.runs.map(({ name, step, skipped_steps }) => [name, step, skipped_steps])).toEqual([
    ['a', 20, 0],
    ['b', 20, 0],
  ]);
  expect(steps.at(-1)).toBe(20);
  const alone = await trainGroup(device, [plan('alone', {})], options());
  expect(alone.runs[0].metrics.loss).toBe(outcome.runs[0].metrics.loss);
  expect(openRun(plans[1].folder, device).step).toBe(20);
});

it('has nothing to do for runs that are complete, and says so', async () => {
  const notes: string[] = [];
  const again = await trainGroup(device, [plan('a', {})], options({ note: (line) => notes.push(line) }));
  expect(notes).toEqual(['nothing to do: the run is complete']);
  expect(again.runs[0].step).toBe(20);
});

it('leaves no folders behind where it cannot start', async () => {
  const wrong = plan('deep/wrong', { acts: join(folder.path, 'nowhere') });
  await expect(trainGroup(device, [wrong], options())).rejects.toThrow();
  expect(existsSync(join(folder.path, 'out', 'deep'))).toBe(false);
  mkdirSync(join(folder.path, 'kept'));
  await expect(trainGroup(device, [{ ...wrong, folder: join(folder.path, 'kept') }], options())).rejects.toThrow();
  expect(existsSync(join(folder.path, 'kept'))).toBe(true);
});

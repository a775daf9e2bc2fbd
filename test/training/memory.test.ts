/** Memory does not grow with the number of steps. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { ToyTree } from '../../src/activations/toy-tree.ts';
import { CpuDevice } from '../../src/engine/cpu/device.ts';
import { resolveConfig } from '../../src/training/config.ts';
import { Member } from '../../src/training/member.ts';
import { train } from '../../src/training/trainer.ts';
import { temporaryFolder } from './support.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

it('is the same after 1500 steps as after 300', async () => {
  const device = await CpuDevice.create({ threads: 1 });
  const settings = { acts: 'synthetic:toy-tree', batch: 16, tokens: 16 * 1500, width: 12, k: 2, logEvery: 50 };
  const often = { validateEvery: 100, validateRows: 64, checkpointEvery: 100 };
  const [topk, hSae] = ['topk', 'h-sae'].map((arch) => resolveConfig({ arch, ...settings, ...often }, 'test'));
  const facts = { version: '0', command: [], device: device.info };
  const source = new ToyTree(0);
  const members = [topk, hSae].map((config) => new Member(temporaryFolder(), config, source, device, facts));
  for (const member of members) member.begin();
  const shared = new Map<number, number>();
  const resident = new Map<number, number>();
  await train({
    device,
    members,
    signal: new AbortController().signal,
    onProgress: ({ step }) => {
      if (step !== 301 && step !== 1500) return;
      collect();
      shared.set(step, device.bytes);
      resident.set(step, process.memoryUsage().rss);
    },
  });
  for (const member of members) member.close();
  await device.close();
  expect(shared.get(1500)).toBe(shared.get(301));
  expect(resident.get(1500)! - resident.get(301)!).toBeLessThan(16 * 2 ** 20);
});

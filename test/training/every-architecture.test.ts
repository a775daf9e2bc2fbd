/** A training of any architecture that was stopped and resumed ends with the same bytes as one that was not. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ToyTree } from '../../src/activations/toy-tree.ts';
import { NormalizedSource } from '../../src/activations/normalized-source.ts';
import { InterruptedError } from '../../src/core/errors.ts';
import { CpuDevice } from '../../src/engine/cpu/device.ts';
import { Optimizer } from '../../src/engine/optim.ts';
import { architectures } from '../../src/sae/registry.ts';
import { loadOptimizer, readCfg, readState, saveCheckpoint } from '../../src/training/checkpoint.ts';
import { resolveConfig } from '../../src/training/config.ts';
import { Member } from '../../src/training/member.ts';
import { openRun } from '../../src/training/runs.ts';
import { train } from '../../src/training/trainer.ts';
import { STEPS, tinyOf } from '../sae/tiny.ts';
import { finalState, temporaryFolder, timelessMetrics } from './support.ts';

const BATCH = 32;

/** Trains in `folder` with a device of its own, as another process would. @returns the step it got to before `stopAt` */
async function trainUntil(
  stopAt: number,
  { folder, arch, config, threads }: { folder: string; arch: string; config: Record<string, unknown>; threads: number },
): Promise<number> {
  const device = await CpuDevice.create({ threads });
  const common = { acts: 'synthetic:toy-tree', batch: BATCH, tokens: BATCH * STEPS, logEvery: 1, validateRows: 64 };
  const run = resolveConfig({ arch, ...common, validateEvery: 10, ...config }, 'test');
  const source = await NormalizedSource.wrap(new ToyTree(0), run.architecture.normalization);
  const member = new Member(folder, run, source, device, { version: '0', command: [], device: device.info });
  const stop = new AbortController();
  try {
    member.begin();
    await train({
      device,
      members: [member],
      signal: stop.signal,
      onProgress: ({ step }) => void (step === stopAt && stop.abort()),
    });
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
  } finally {
    member.close();
    await device.close();
  }
  return member.step;
}

describe.each(architectures.map((architecture) => [architecture.name, architecture] as const))(
  '%s',
  (arch, architecture) => {
    const { config } = tinyOf(architecture);

    it('stopped after any step and resumed, on any number of threads', async () => {
      const [whole, pieces] = ['whole', 'pieces'].map((name) => makeIn(temporaryFolder(), name));
      expect(await trainUntil(STEPS, { folder: whole, arch, config, threads: 1 })).toBe(STEPS);
      for (let step = 1; step <= STEPS; step++)
        expect(await trainUntil(step, { folder: pieces, arch, config, threads: 1 + (step % 2) })).toBe(step);
      expect(finalState(pieces)).toEqual(finalState(whole));
      expect(timelessMetrics(pieces)).toEqual(timelessMetrics(whole));
    });

    it('opened and saved again it is the same checkpoint', async () => {
      const folder = makeIn(temporaryFolder(), 'run');
      await trainUntil(STEPS, { folder, arch, config, threads: 1 });
      const device = await CpuDevice.create({ threads: 1 });
      const { sae, checkpoint } = openRun(folder, device);
      const optimizer = new Optimizer(device, sae.parameters, sae.update);
      loadOptimizer(checkpoint, device, optimizer);
      const copy = makeIn(temporaryFolder(), 'copy');
      await saveCheckpoint(copy, device, sae, optimizer, readCfg(checkpoint), readState(checkpoint), 1);
      await device.close();
      expect(finalState(copy)).toEqual(finalState(folder));
    });
  },
);

function makeIn(parent: string, name: string): string {
  const folder = join(parent, name);
  mkdirSync(folder);
  return folder;
}

import { describe, expect, it } from 'vitest';
import type { ActivationSource } from '../../src/activations/source.ts';
import { parseConfig } from '../../src/core/config.ts';
import { InputError } from '../../src/core/errors.ts';
import { Random } from '../../src/core/random.ts';
import { ReferenceDevice } from '../../src/engine/reference/device.ts';
import type { TrainedHere } from '../../src/evals/context.ts';
import { evaluateCost } from '../../src/evals/cost.ts';
import type { TrainableSae } from '../../src/sae/architecture.ts';
import { architectureNamed, architectures } from '../../src/sae/registry.ts';
import { axes, context, linearSae, memorySource, sample } from './support.ts';

const D = 8;
const BATCH = 32;
const device = new ReferenceDevice();

function source(): ActivationSource {
  return {
    ...memorySource(sample(60, D).acts, D),
    trainRows: 10_000,
    batch: async (index, out) => {
      const random = new Random(index, 'batch');
      for (let at = 0; at < out.length; at++) out[at] = random.normal();
    },
  };
}

function trained(name: string, given?: Record<string, unknown>): TrainedHere {
  const architecture = architectureNamed(name);
  const size = { width: 16, k: 2 };
  const config = parseConfig(architecture.schema, given ?? architecture.sized?.(size) ?? size, name);
  const sae = architecture.build(config, { device, d: D, seed: 0, batch: BATCH, steps: 100 });
  sae.start(sample(BATCH, D).acts);
  return { sae, config, batch: BATCH, steps: 100 };
}

async function contents({ parameters, state }: TrainableSae): Promise<ArrayLike<number>[]> {
  const tensors = [...parameters.map(({ tensor }) => tensor), ...Object.values(state)];
  const all: ArrayLike<number>[] = [];
  for (const tensor of tensors) all.push((await device.read(tensor)).slice() as ArrayLike<number>);
  return all;
}

describe('cost', () => {
  it.each(architectures.map(({ name }) => name))('of %s is measured on a copy', async (name) => {
    const run = trained(name);
    const before = await contents(run.sae);
    const { metrics, skipped } = await evaluateCost(context(device, run.sae, source(), { trained: run }));
    expect(skipped).toEqual({});
    expect(Object.keys(metrics).sort()).toEqual(
      [
        ...['parameters', 'flops_encode', 'flops_train'].flatMap((counted) => [counted, `${counted}_ratio`]),
        ...['encode', 'step'].flatMap((timed) => [`${timed}_ms`, `${timed}_ratio`]),
        'memory_mb',
        'peak_rss_mb',
      ].sort(),
    );
    for (const { value, low, high, replicates } of Object.values(metrics)) {
      expect(value).toBeGreaterThan(0);
      expect(low).toBeLessThanOrEqual(value!);
      expect(high).toBeGreaterThanOrEqual(value!);
      // Rounds of different evaluations must not be compared one by one.
      expect(replicates).toBeUndefined();
    }
    expect(metrics.memory_mb.value).toBeCloseTo((12 * metrics.parameters.value!) / 1e6, 12);
    expect(await contents(run.sae)).toEqual(before);
  });

  it('of a flat SAE is that of the flat SAE beside it', async () => {
    const run = trained('topk');
    const { metrics } = await evaluateCost(context(device, run.sae, source(), { trained: run }));
    for (const name of ['parameters_ratio', 'flops_encode_ratio', 'flops_train_ratio']) {
      expect(metrics[name]).toMatchObject({ value: 1, low: 1, high: 1 });
    }
    expect(metrics.parameters.value).toBe(2 * 16 * D + 16 + D);
    expect(metrics.flops_encode.value).toBe(2 * 16 * D);
    expect(metrics.flops_train.value).toBe(2 * 16 * D + 4 * 2 * 2 * D);
  });

  it('of a tree is relative to a flat SAE as wide as its roots', async () => {
    const run = trained('h-sae', { width: 16, k: 2, atoms: 4 });
    const { metrics } = await evaluateCost(context(device, run.sae, source(), { trained: run }));
    expect(metrics.encode_ratio.definition).toContain('a flat topk SAE with width 16 and k = 2');
    expect(metrics.parameters_ratio.value).toBeGreaterThan(1);
  });

  it('of an SAE from elsewhere is what can be timed', async () => {
    const sae = linearSae(device, D, axes(D), axes(D));
    const { metrics, skipped } = await evaluateCost(context(device, sae, source()));
    expect(Object.keys(metrics)).toEqual(['encode_ms', 'encode_ratio', 'peak_rss_mb']);
    expect(skipped.parameters).toContain('not known how this SAE (test) was trained');
    expect(Object.keys(skipped)).toContain('step_ratio');
  });

  it('needs held-out rows', async () => {
    const sae = linearSae(device, D, axes(D), axes(D));
    await expect(evaluateCost(context(device, sae, memorySource(new Float32Array(0), D)))).rejects.toThrow(InputError);
  });
});

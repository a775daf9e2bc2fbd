/**
 * What each architecture refuses, as the command line says it: one row for every branch of its `check`, and values out of range. The
 * first word of the message is the key.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { architectures } from '../../src/sae/registry.ts';
import { run, sets, temporaryFolder } from '../training/support.ts';

type Row = readonly [settings: Record<string, unknown>, message: string];

/** Values that are wrong by themselves. */
const OUT_OF_RANGE: Readonly<Record<string, readonly Row[]>> = {
  'relu-l1': [
    [{ l1: -1 }, 'l1: '],
    [{ resampleEvery: 1 }, 'resampleEvery: '],
    [{ resampling: 'openai' }, 'resampling: '],
  ],
  'relu-l1-april': [
    [{ l1WarmupSteps: -1 }, 'l1WarmupSteps: '],
    [{ width: 0 }, 'width: '],
  ],
  topk: [
    [{ lr: 0 }, 'lr: '],
    [{ aux: 'none' }, 'aux: '],
    [{ thresholdBeta: 2 }, 'thresholdBeta: '],
    [{ kAnnealSteps: 0 }, 'kAnnealSteps: '],
    [{ auxAlpha: -1 }, 'auxAlpha: '],
  ],
  batchtopk: [
    [{ k: 1.5 }, 'k: '],
    [{ thresholdFrom: -1 }, 'thresholdFrom: '],
  ],
  jumprelu: [
    [{ bandwidth: 0 }, 'bandwidth: '],
    [{ dialect: 'gemma' }, 'dialect: '],
    [{ beta1: 1 }, 'beta1: '],
    [{ thresholdInit: -1 }, 'thresholdInit: '],
  ],
  gated: [
    [{ decayFrom: 2 }, 'decayFrom: '],
    [{ lr: -1 }, 'lr: '],
  ],
  matryoshka: [
    [{ groupFractions: [] }, 'groupFractions: '],
    [{ groupFractions: [1, 0] }, 'groupFractions.1: '],
    [{ randomPrefixes: 0 }, 'randomPrefixes: '],
  ],
  'matryoshka-topk': [
    [{ auxK: 0 }, 'auxK: '],
    [{ deadAfter: 0 }, 'deadAfter: '],
  ],
  switch: [
    [{ experts: 0 }, 'experts: '],
    [{ balanceAlpha: -1 }, 'balanceAlpha: '],
  ],
  'matching-pursuit': [
    [{ residualThreshold: -1 }, 'residualThreshold: '],
    [{ revive: -0.01 }, 'revive: '],
  ],
  'h-sae': [
    [{ atoms: 0 }, 'atoms: '],
    [{ width: 1 }, 'width: '],
    [{ theta: 0 }, 'theta: '],
    [{ orthoVariant: 'none' }, 'orthoVariant: '],
  ],
  'hsae-forest': [
    [{ widths: [] }, 'widths: '],
    [{ widths: [4, 0] }, 'widths.1: '],
    [{ perturbation: 1.5 }, 'perturbation: '],
    [{ unassigned: -0.1 }, 'unassigned: '],
    [{ controllerMomentum: 1 }, 'controllerMomentum: '],
  ],
  'tree-sae': [
    [{ layers: [] }, 'layers: '],
    [{ k: [0, 1] }, 'k.0: '],
    [{ reallocateGrowth: 0.5 }, 'reallocateGrowth: '],
    [{ rootReset: 0 }, 'rootReset: '],
    [{ rootInitFrac: 2 }, 'rootInitFrac: '],
    [{ auxLayers: [-1] }, 'auxLayers.0: '],
  ],
  'dynamic-sparsity': [
    [{ lossTarget: 0 }, 'lossTarget: '],
    [{ mergeAbove: 1.5 }, 'mergeAbove: '],
    [{ window: 0 }, 'window: '],
    [{ minUsage: -1 }, 'minUsage: '],
  ],
  compositional: [
    [{ width: [3, 4] }, 'width: expected a positive integer for all tiers, or a list of three'],
    [{ tierWeights: [1, 1] }, 'tierWeights: '],
    [{ l1Warmup: 2 }, 'l1Warmup: '],
  ],
};

/** Values that are wrong together: the branches of `check`. */
const TOGETHER: Readonly<Record<string, readonly Row[]>> = {
  topk: [[{ width: 4, k: 5 }, 'k: 5 active latents of width 4; k can be at most the width']],
  batchtopk: [[{ width: 4, k: 5 }, 'k: 5 active latents of width 4; k can be at most the width']],
  matryoshka: [
    [{ width: 4, k: 5 }, 'k: 5 active latents of width 4; k can be at most the width'],
    [{ groupFractions: [0.5, 0.4] }, 'groupFractions: they sum to 0.9; the groups together are the dictionary, 1'],
    [{ width: 2, k: 1, groupFractions: [0.4, 0.3, 0.3] }, 'groupFractions: 3 groups of width 2 leave no latent'],
    [{ groupFractions: [0.5, 0.5], groupWeights: [1] }, 'groupWeights: 1 weights for 2 groups of groupFractions'],
    [{ prefixes: 'random', groupWeights: [1, 1, 1, 1, 1] }, 'groupWeights: random prefixes have no groups'],
    [{ width: 8, k: 2, prefixes: 'random', randomPrefixes: 9 }, 'randomPrefixes: 9 different prefixes of width 8'],
  ],
  'matryoshka-topk': [
    [{ width: 4, k: 5 }, 'k: 5 active latents of width 4; k can be at most the width'],
    [{ groupFractions: [0.5, 0.4] }, 'groupFractions: they sum to 0.9; the groups together are the dictionary, 1'],
  ],
  switch: [
    [{ width: 10, experts: 3 }, 'experts: 3 do not share 10 latents evenly'],
    [{ width: 8, experts: 4, k: 3 }, "k: 3 active latents of an expert's 2; k can be at most width / experts"],
  ],
  'matching-pursuit': [
    [{ width: 8193 }, 'width: matching pursuit holds the 8193 × 8193 inner products'],
    [{ width: 4, k: 5 }, 'k: 5 steps over 4 latents; k can be at most the width'],
  ],
  'h-sae': [[{ width: 4, k: 5 }, 'k: 5 active latents of width 4; k can be at most the width']],
  jumprelu: [[{ width: 4, targetL0: 5 }, 'targetL0: 5 active latents of width 4; it can be at most the width']],
  'hsae-forest': [
    [{ widths: [4, 6, 8], targetL0: [1, 2] }, 'targetL0: 2 numbers for 3 levels of widths; give one per level'],
    [{ widths: [4, 6, 8], targetL0: [5] }, 'targetL0: more active latents than the 4 of level 1'],
  ],
  'tree-sae': [
    [{ layers: [4, 6], k: [1] }, 'k: 1 numbers for 2 layers; one for each'],
    [{ layers: [4, 6], k: [1, 7] }, "k: 7 active latents in layer 1 of 6; k can be at most the layer's size"],
    [{ layers: [4, 6], k: [1, 1], auxLayers: [2] }, 'auxLayers: there is no layer 2; 2 layers are counted from 0'],
  ],
  'dynamic-sparsity': [[{ alphaMin: 3, alphaMax: 2 }, 'alphaMin: 3 is above alphaMax 2']],
  compositional: [
    [{ variant: 'literal', tierWeights: [0, 0.5, 0.5] }, 'tierWeights: the literal variant learns their logarithms'],
    [{ width: [3, 4, 5], k: [1, 5, 1] }, 'k: 5 active latents in tier 2 of width 4; k can be at most the width'],
  ],
};

it('no architecture is forgotten', () => {
  const names = architectures.map(({ name }) => name).toSorted();
  expect(Object.keys(OUT_OF_RANGE).toSorted()).toEqual(names);
  const checked = architectures.filter(({ check }) => check).map(({ name }) => name);
  expect(Object.keys(TOGETHER).toSorted()).toEqual(checked.toSorted());
});

describe.each(architectures.map(({ name }) => name))('%s refuses', (name) => {
  const misspelt: Row = [{ widht: 4 }, 'unknown key "widht"'];
  it.each([misspelt, ...OUT_OF_RANGE[name], ...(TOGETHER[name] ?? [])])('%j', async (settings, message) => {
    const folder = join(temporaryFolder(), 'run');
    const flags = Object.entries(settings).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
    const argv = ['--arch', name, '--acts', 'synthetic:toy-tree', '--tokens', '32', '--out', folder];
    const { code, out, err } = await run('train', ...argv, ...sets(...flags));
    expect([code, out]).toEqual([2, '']);
    expect(err.slice(0, 'error: '.length + message.length)).toBe(`error: ${message}`);
    expect(existsSync(folder)).toBe(false);
  });
});

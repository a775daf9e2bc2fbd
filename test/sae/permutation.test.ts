/**
 * No latent is special: exchanging latents of equal rank exchanges their codes and gradients, and changes nothing else. H-SAE and
 * hsae-forest, whose latents come in families, have tests of their own.
 */
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import type { Tensor } from '../../src/engine/device.ts';
import { ReferenceDevice } from '../../src/engine/reference/device.ts';
import type { TrainableSae } from '../../src/sae/architecture.ts';
import { architectureNamed, architectures } from '../../src/sae/registry.ts';
import { build, clustered, difference, floats, parameter, passOf, put, train } from './bench.ts';
import { D, tinyOf } from './tiny.ts';

const ROWS = 16;
const BEFORE = 4;
const OWN_TESTS = ['h-sae', 'hsae-forest'];

/** Ends of the ranges of latents that are alike, and what differs from the tiny model. */
const ALIKE: Readonly<Record<string, { ends: number[]; over?: Record<string, unknown> }>> = {
  'relu-l1': { ends: [16] },
  'relu-l1-april': { ends: [16] },
  topk: { ends: [12] },
  batchtopk: { ends: [12] },
  jumprelu: { ends: [12] },
  gated: { ends: [16] },
  matryoshka: { ends: [6, 12], over: { prefixes: 'fixed', groupFractions: [0.5, 0.5] } },
  'matryoshka-topk': { ends: [6, 12], over: { groupFractions: [0.5, 0.5] } },
  // The latents of each expert.
  switch: { ends: [4, 8, 12] },
  'matching-pursuit': { ends: [16] },
  'tree-sae': { ends: [6, 18] },
  'dynamic-sparsity': { ends: [12] },
  compositional: { ends: [3, 9, 18], over: { curriculum: false } },
};

/** Every latent moves on by one place within its range. */
function turned(ends: readonly number[]): number[] {
  return Array.from({ length: ends.at(-1)! }, (_, i) => {
    const range = ends.findIndex((end) => i < end);
    const from = ends[range - 1] ?? 0;
    return from + ((i + 1 - from) % (ends[range] - from));
  });
}

/** The places of the latents along an axis, where it has latents. */
type Places = readonly number[] | undefined;

/** Which latents the axes of a parameter are. */
function axesOf(name: string, shape: readonly number[], ends: readonly number[], places: readonly number[]): Places[] {
  const tier = /^tier(\d)\.(V?)/.exec(name);
  if (!tier) return [shape[0] === places.length ? places : undefined];
  const own = (t: number): number[] => {
    const from = ends[t - 1] ?? 0;
    return places.slice(from, ends[t]).map((place) => place - from);
  };
  const above = Number(tier[1]) - 1;
  return tier[2] === 'V' ? [own(above - 1), own(above)] : [own(above)];
}

function moved(
  values: Float32Array,
  [rows, cols]: readonly number[],
  [first, second]: readonly Places[],
): Float32Array {
  const out = values.slice();
  const width = cols ?? 1;
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < width; j++) out[(first?.[i] ?? i) * width + (second?.[j] ?? j)] = values[i * width + j];
  return out;
}

it('every architecture is tested, here or with its families', () => {
  const names = architectures.map(({ name }) => name).toSorted();
  expect([...Object.keys(ALIKE), ...OWN_TESTS].toSorted()).toEqual(names);
});

describe.each(Object.entries(ALIKE))('%s', (name, { ends, over }) => {
  it('permuting the latents permutes codes and gradients, and nothing else', async () => {
    const device = new ReferenceDevice();
    const architecture = architectureNamed(name);
    const config = { ...tinyOf(architecture).config, ...over };
    const make = (): TrainableSae => build(device, architecture, config, { d: D, batch: ROWS });
    const batch = (step: number): Float32Array => clustered(new Random(1, step), ROWS, D, 4);
    const places = turned(ends);

    const [one, two] = [make(), make()];
    expect(one.width).toBe(places.length);
    await train(device, one, BEFORE, batch);
    two.hostState = { ...one.hostState };
    const axes = (tensor: Tensor, of: string): Places[] => axesOf(of, tensor.shape, ends, places);
    for (const { name: of, tensor } of one.parameters)
      device.write(parameter(two, of), moved(await floats(device, tensor), tensor.shape, axes(tensor, of)));
    const state: Record<string, Float32Array | Uint32Array> = {};
    for (const [of, tensor] of Object.entries(one.state)) {
      const values = await floats(device, tensor);
      state[of] = tensor.dtype === 'u32' ? values : moved(values, tensor.shape, axes(tensor, of));
      device.write(two.state[of], state[of]);
    }
    if (one.forest) {
      const parents = new Uint32Array(one.width);
      one.forest.parent.forEach((parent, i) => (parents[places[i]] = parent < 0 ? parent : places[parent]));
      two.restore!({ ...state, parent: parents });
    }

    const x = put(device, batch(9), ROWS, D);
    const [a, b] = [await passOf(device, one, x, BEFORE), await passOf(device, two, x, BEFORE)];
    for (const [loss, value] of Object.entries(a.losses))
      expect(b.losses[loss] / value - 1 || 0, loss).toBeCloseTo(0, 5);
    expect(difference(a.reconstruction, b.reconstruction)).toBeLessThan(1e-5);
    for (const { name: of, tensor } of one.parameters) {
      const expected = moved(a.gradients[of], tensor.shape, axes(tensor, of));
      const largest = Math.max(1, ...expected.map(Math.abs));
      expect(difference(b.gradients[of], expected) / largest, of).toBeLessThan(1e-5);
    }
    for (const [r, row] of a.codes.entries()) {
      const there = new Map(b.codes[r].map(({ latent, value }) => [latent, value]));
      for (const { latent, value } of row) expect(there.get(places[latent]) ?? 0).toBeCloseTo(value, 4);
    }
    expect(a.codes.flat().some(({ value }) => value > 0)).toBe(true);
  });
});

import { expect, it } from 'vitest';
import { Random } from '../../../src/core/random.ts';
import { readCodes } from '../../../src/engine/device.ts';
import { decode } from '../../../src/engine/ops/decode.ts';
import { encodeTree } from '../../../src/engine/ops/encode-tree.ts';
import { encodeTop, RELU } from '../../../src/engine/ops/encode.ts';
import { squaredError } from '../../../src/engine/ops/losses.ts';
import { Tape } from '../../../src/engine/tape.ts';
import { TreeLayers } from '../../../src/sae/parts/tree-layers.ts';
import { onEveryDevice, type Bench } from '../devices.ts';
import { layeredForest, type LayeredForest } from '../forests.ts';
import * as oracle from '../oracle.ts';
import { checkGradients, leaf } from './gradients.ts';
import * as naive from './naive.ts';

const ABOVE = 0.25;

function connected(bench: Bench, { sizes, k, parents }: LayeredForest): TreeLayers {
  const layers = new TreeLayers(bench.device, sizes, k);
  layers.connect(parents);
  return layers;
}

/** Scores everything, then masks: layer by layer the k best of the latents whose parent is active, among those `only` lets through. */
function maskedEncode(
  { sizes, k, parents }: LayeredForest,
  score: readonly number[],
): { codes: oracle.Entry[]; open: boolean[] } {
  const value = score.map(() => 0);
  const open = score.map(() => false);
  const codes: oracle.Entry[] = [];
  let from = 0;
  for (const [l, size] of sizes.entries()) {
    const latents = Array.from({ length: size }, (_, i) => from + i);
    for (const i of latents) open[i] = parents[i] < 0 || value[parents[i]] > ABOVE;
    const gated = score.map((z, i) => (open[i] ? z : -1));
    const chosen = oracle.topOf(gated, latents, k[l], RELU);
    for (const entry of chosen) value[entry.latent] = entry.value;
    codes.push(...chosen);
    from += size;
  }
  return { codes, open };
}

onEveryDevice((bench) => {
  it('gives what scoring all latents and masking gives; so does the encoding of dead latents', async () => {
    for (let seed = 0; seed < 60; seed++) {
      bench.begin();
      const random = new Random(seed);
      const forest = layeredForest(random);
      const { width } = forest;
      const [rows, d] = [seed % 20 === 0 ? 300 : 1 + random.below(9), 1 + random.below(20)];
      const [x, W] = [oracle.exactMatrix(random, rows, d), oracle.exactMatrix(random, width, d)];
      const bias = random.below(2) ? oracle.exactVector(random, width) : null;
      const encoder = { W: bench.matrix(W), bias: bias && bench.vector(bias), center: null, floor: RELU };
      const { layers } = connected(bench, forest);
      const tree = encodeTree(new Tape(bench.device), bench.matrix(x), encoder, layers, ABOVE);
      const expected = oracle.scores(x, W, bias).map((score) => ({ score, ...maskedEncode(forest, score) }));
      await bench.expectCodes(
        tree.codes,
        expected.map(({ codes }) => codes),
      );

      const [layer, k] = [random.below(layers.length), 1 + random.below(4)];
      const counter = oracle.exactVector(random, width);
      const dead = tree.among(layer, k, bench.vector(counter), 0.25);
      const { from, to } = layers[layer].range;
      const latents = Array.from({ length: to - from }, (_, i) => from + i);
      const { rowPtr, index, value } = await readCodes(bench.device, dead);
      expected.forEach(({ score, open }, r) => {
        const gated = score.map((z, i) => (open[i] && counter[i] >= 0.25 ? z : -1));
        const wanted = oracle.topOf(gated, latents, k, RELU).filter((entry) => entry.value > 0);
        const found = Array.from(index.subarray(rowPtr[r], rowPtr[r + 1]), (latent, t) => ({
          latent,
          value: value[rowPtr[r] + t],
        }));
        expect(found.filter((entry) => entry.value > 0)).toEqual(wanted);
      });
    }
  });

  it('gradients of encoder, bias, center and dictionary, also through the encoding of dead latents', async () => {
    for (let seed = 0; seed < 12; seed++) {
      bench.begin();
      const random = new Random(seed, 'gradients');
      const forest = layeredForest(random, 9);
      const { width } = forest;
      const [rows, d] = [1 + random.below(6), 1 + random.below(20)];
      const [x, W, D] = [leaf(random, rows, d), leaf(random, width, d), leaf(random, width, d)];
      const [bias, center] = [leaf(random, width), leaf(random, d)];
      const input = bench.put('f32', x.values, rows, d);
      const counter = bench.vector(oracle.exactVector(random, width));
      const { layers } = connected(bench, forest);
      await checkGradients(
        bench,
        random,
        { W, bias, center, D },
        (tape, t) => {
          const encoder = { W: t.W, bias: t.bias, center: t.center, floor: RELU };
          const tree = encodeTree(tape, input, encoder, layers, ABOVE);
          const dead = tree.among(layers.length - 1, 2, counter, 0);
          const out = decode(tape, tree.codes, t.D, t.center);
          return {
            losses: [
              { value: squaredError(tape, out, input), weight: 0.75 },
              { value: squaredError(tape, decode(tape, dead, t.D, null), input), weight: 0.5 },
            ],
            selections: [tree.codes, dead],
          };
        },
        (l, [selected, dead]) => {
          const [codes, aux] = [selected, dead].map((selection) => naive.encode(x, l.W, l.bias, l.center, selection));
          const full = naive.squaredError(naive.decode(codes, l.D, l.center), x);
          return 0.75 * full + 0.5 * naive.squaredError(naive.decode(aux, l.D, null), x);
        },
      );
    }
  });

  it('one layer is a plain top-k', async () => {
    bench.begin();
    const random = new Random(1);
    const [rows, d, width, k] = [40, 12, 30, 5];
    const [x, W] = [
      bench.matrix(oracle.normalMatrix(random, rows, d)),
      bench.matrix(oracle.normalMatrix(random, width, d)),
    ];
    const encoder = { W, bias: null, center: null, floor: RELU };
    const { layers } = connected(bench, { sizes: [width], k: [k], parents: new Int32Array(width).fill(-1), width });
    const tape = new Tape(bench.device);
    const tree = await readCodes(bench.device, encodeTree(tape, x, encoder, layers, ABOVE).codes);
    expect(tree).toEqual(await readCodes(bench.device, encodeTop(tape, x, encoder, k)));
  });
});

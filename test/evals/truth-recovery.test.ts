import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SynthBench } from '../../src/activations/synth-bench/synth-bench.ts';
import { ToyTree } from '../../src/activations/toy-tree.ts';
import { NormalizedSource } from '../../src/activations/normalized-source.ts';
import { Random } from '../../src/core/random.ts';
import type { Device } from '../../src/engine/device.ts';
import { ReferenceDevice } from '../../src/engine/reference/device.ts';
import { drawTruthPiece, tellingPiece } from '../../src/evals/truth-drawing.ts';
import { recoverToyTree } from '../../src/evals/toy-recovery.ts';
import { recoverTruth, type TruthRecovery } from '../../src/evals/truth-recovery.ts';
import { synthBenchRows, toyTreeRows } from '../../src/evals/truth-rows.ts';
import { Forest } from '../../src/forest/forest.ts';
import { dualRows, linearSae, perfectSae } from './support.ts';

let device: Device;
beforeAll(() => void (device = new ReferenceDevice()));
afterAll(() => device.close());

const NONE = { kind: 'none' } as const;

const rowsOf = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** What both ways of measuring report. */
const shared = (found: TruthRecovery): Record<string, unknown> => ({
  variance_explained: found.variance_explained,
  l0: found.l0,
  dead_fraction: found.dead_fraction,
  features_recovered: found.features_recovered,
  features: found.features,
  feature_f1: found.feature_f1,
  edges: found.recovery.edge,
  wrong_edges: found.wrong_edges,
  own_forest: found.own_forest,
});

describe('on the toy tree', () => {
  const tree = new ToyTree(3, { heldOutRows: 6000 });

  it('agrees with the measurement by directions, for any latents and any forest among them', async () => {
    const some = fc.record({
      features: fc.array(fc.integer({ min: -1, max: 19 }), { minLength: 3, maxLength: 24 }),
      own: fc.boolean(),
      seed: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(some, async ({ features, own, seed }) => {
        // Two latents for one feature would be matched either way.
        const distinct = features.map((feature, i) => (features.indexOf(feature) === i ? feature : -1));
        const random = new Random(seed);
        const parents = distinct.map((_, i) => random.below(i + 1) - 1);
        const sae = perfectSae(device, tree.directions, 20, distinct, own ? parents : undefined);
        const source = await NormalizedSource.wrap(tree, 'scalar');
        const byDirection = await recoverToyTree(device, sae, source, tree);
        const byFiring = await recoverTruth(device, sae, toyTreeRows(tree), source.normalization);
        const { variance_explained: explained, feature_f1: f1, l0, ...others } = shared(byFiring);
        const { drawing: _d, absorption_rate: _a, decoder_leak: _l, l0_full: _f, ...toy } = byDirection;
        expect(explained).toBeCloseTo(toy.variance_explained, 9);
        expect(f1).toBeCloseTo(toy.feature_f1, 9);
        expect(l0).toBe(toy.l0);
        expect(others).toMatchObject({
          dead_fraction: toy.dead_fraction,
          features_recovered: toy.features_recovered,
          features: toy.features,
          edges: toy.edges,
          wrong_edges: toy.wrong_edges,
          own_forest: own,
        });
      }),
      { numRuns: 25 },
    );
  });

  it('finds everything that a perfect SAE has, with a forest extracted from its firing', async () => {
    const sae = perfectSae(device, tree.directions, 20, rowsOf(20));
    const found = await recoverTruth(device, sae, toyTreeRows(tree), NONE);
    expect(found).toMatchObject({
      rows: 6000,
      features: 20,
      features_recovered: 20,
      feature_f1: 1,
      best_f1: 1,
      best_precision: 1,
      best_recall: 1,
      wrong_edges: 0,
      own_forest: false,
      forgotten_f1: 0,
    });
    expect(found.recovery.edge).toMatchObject({ trueRecovered: 9, precision: 1, recall: 1 });
    expect(found.recovery.ancestor).toMatchObject({ precision: 1, recall: 1 });
    expect(found.true_l0).toBeCloseTo(tree.trueL0, 1);
    expect(found.variance_explained).toBeGreaterThan(0.999999);
    expect(found.details.frequency.every((f, j) => Math.abs(f - tree.probability[j]) < 0.03)).toBe(true);
  });

  it('does not depend on the batches', async () => {
    const sae = perfectSae(device, tree.directions, 20, [3, 0, 1, 2, 9, 8, 4, -1]);
    const of = (batchRows: number): Promise<TruthRecovery> =>
      recoverTruth(device, sae, toyTreeRows(tree), NONE, { batchRows, rows: 3000 });
    const [one, other] = [await of(3000), await of(77)];
    const { variance_explained: a, ...first } = one;
    const { variance_explained: b, ...second } = other;
    expect(a).toBeCloseTo(b, 9);
    expect(second).toEqual(first);
  });

  it('takes a forest from elsewhere, and reports its progress', async () => {
    const sae = perfectSae(device, tree.directions, 20, rowsOf(20), Array<number>(20).fill(-1));
    const steps: number[] = [];
    const options = { rows: 2500, batchRows: 1000, onProgress: (done: number) => void steps.push(done) };
    const none = await recoverTruth(device, sae, toyTreeRows(tree), NONE, options);
    expect([none.recovery.edge.trueRecovered, none.own_forest]).toEqual([0, true]);
    expect(steps).toEqual([1000, 2000, 2500]);
    const parents = tree.truth.parent;
    const found = await recoverTruth(device, sae, toyTreeRows(tree), NONE, { ...options, parents });
    expect([found.recovery.edge.trueRecovered, found.own_forest]).toEqual([9, false]);
  });

  it('counts a feature once in every level that reconstructs alone', async () => {
    const flat = perfectSae(device, tree.directions, 20, [0, 4, 0, 1, 2, 4], [-1, -1, 0, 0, 0, 1]);
    const views = [
      { name: 'coarse', from: 0, to: 2 },
      { name: 'full', from: 2, to: 6 },
    ];
    const found = await recoverTruth(device, { ...flat, views }, toyTreeRows(tree), NONE);
    expect(found).toMatchObject({ features_recovered: 4, wrong_edges: 0 });
    expect(found.recovery.edge).toMatchObject({ predicted: 4, predictedCorrect: 2 });
    const alone = await recoverTruth(device, flat, toyTreeRows(tree), NONE);
    expect(alone.features_recovered).toBe(4);
    expect(alone.details.match.filter((feature) => feature === -1)).toHaveLength(2);
  });

  it('asks for the F1 that it is told', async () => {
    // Latent 0 fires with feature 0 and with feature 19 (a leaf, P = 0.05): precision 0.15 / 0.1925.
    const sae = perfectSae(device, tree.directions, 20, [0]);
    const dual = dualRows(tree.directions, 20, 20);
    const both = dual.subarray(0, 20).map((w, k) => w + dual[19 * 20 + k]);
    const blurred = { ...linearSae(device, 20, both, tree.directions.subarray(0, 20)), forest: new Forest([-1]) };
    const precision = 0.15 / (0.15 + 0.85 * 0.05);
    for (const [leastF1, recovered] of [
      [0.7, 1],
      [0.95, 0],
    ]) {
      const found = await recoverTruth(device, blurred, toyTreeRows(tree), NONE, { leastF1 });
      expect(found.features_recovered).toBe(recovered);
      expect(found.details.matchedF1[0]).toBeCloseTo((2 * precision) / (1 + precision), 1);
      expect(found.best_recall).toBeLessThan(1);
    }
    expect((await recoverTruth(device, sae, toyTreeRows(tree), NONE, { leastF1: 1 })).features_recovered).toBe(1);
  });

  it('draws the piece where most was found, with what is wrong in it', async () => {
    // Features 4 … 7 are the second tree; its last child hangs under a child, and a leaf under the root.
    const sae = perfectSae(device, tree.directions, 20, [4, 5, 7, 15, 0, 1], [-1, 0, 1, 0, -1, 3]);
    const rows = toyTreeRows(tree);
    const { details } = await recoverTruth(device, sae, rows, NONE);
    const piece = tellingPiece(rows.truth, details);
    expect(piece).toBe(4);
    const drawing = drawTruthPiece(rows, details, piece);
    expect(drawing.split('\n').map((line) => line.trimEnd())).toEqual([
      'recovered          true',
      '· root 2           ✓ root 2',
      '└─ ✓ root 2.1      ├─ ✓ root 2.3',
      '   └─ ✗ root 2.3   ├─ ✓ root 2.1',
      '                   └─   root 2.2',
    ]);
    expect(drawTruthPiece(rows, details, 8)).toContain('  root 3.1');
  });
});

describe('on the synthetic benchmark', () => {
  it('finds everything that a perfect SAE has', async () => {
    const settings = { features: 40, d: 48, roots: 3, branching: 2, depth: 2, minProbability: 0.05, biasNorm: 0 };
    const bench = await SynthBench.open(2, { ...settings, heldOutRows: 4000 });
    const source = synthBenchRows(bench);
    for (const parents of [undefined, [...bench.truth.parent]]) {
      const sae = perfectSae(device, bench.directions, 48, rowsOf(40), parents);
      const found = await recoverTruth(device, sae, source, NONE, { batchRows: 500 });
      expect(found.features_recovered).toBe(found.features);
      expect(found.features).toBeGreaterThan(35);
      expect(found.feature_f1).toBeGreaterThan(0.95);
      expect(found.variance_explained).toBeGreaterThan(0.9999);
      expect(Math.abs(found.true_l0 - bench.trueL0)).toBeLessThan(0.3);
      if (parents) expect([found.recovery.edge.recall, found.wrong_edges]).toEqual([1, 0]);
      else expect(found.recovery.ancestor.recall).toBeGreaterThan(0.5);
      expect(drawTruthPiece(source, found.details, 0)).toContain('✓ root');
    }
  });
});

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codesFromDense, codesToDense, sliceRows } from '../../src/core/codes.ts';
import { Random } from '../../src/core/random.ts';
import { bestThreshold, fitProbes, probeCodes, recoverByProbes } from '../../src/evals/probes.ts';
import type { TruthRows } from '../../src/evals/truth-rows.ts';
import { Forest } from '../../src/forest/forest.ts';

/** Two trees 0 < 1 < 2 and 3 < 4 over coordinates with an offset, and a feature 5 that is never on. */
const FOREST = new Forest([-1, 0, 1, -1, 3, -1]);
const D = 6;

/** A batch and an odd number of rows more. */
function treeRows(noise: number, name: string, count = 4096 + 1001): TruthRows {
  const random = new Random(0, 'probes', name);
  const acts = new Float32Array(count * D);
  const on = new Uint8Array(count * FOREST.size);
  for (let r = 0; r < count; r++) {
    for (const feature of [0, 1, 2, 3, 4]) {
      const parent = FOREST.parent[feature];
      const may = parent === -1 || on[r * FOREST.size + parent] === 1;
      if (may && random.uniform() < 0.5) on[r * FOREST.size + feature] = 1;
    }
    for (let i = 0; i < D; i++) acts[r * D + i] = 5 + on[r * FOREST.size + i] + noise * (random.uniform() - 0.5);
  }
  const truth = codesFromDense(on, count, FOREST.size);
  return {
    d: D,
    count,
    truth: FOREST,
    nameOf: String,
    async rows(start, size) {
      return { acts: acts.slice(start * D, (start + size) * D), truth: sliceRows(truth, start, start + size) };
    },
  };
}

describe('fitProbes', () => {
  it('solves the normal equations of ridge regression', async () => {
    const source = treeRows(4, 'noisy');
    const { weights } = await fitProbes(source);
    const { acts, truth } = await source.rows(0, source.count);
    const y = codesToDense(truth);
    const n = source.count;
    const meanOf = (value: (row: number) => number): number => {
      let sum = 0;
      for (let r = 0; r < n; r++) sum += value(r);
      return sum / n;
    };
    const center = Array.from({ length: D }, (_, i) => meanOf((r) => acts[r * D + i]));
    const x = (r: number, i: number): number => acts[r * D + i] - center[i];
    const lambda = 1e-4 * meanOf((r) => Array.from({ length: D }, (_, i) => x(r, i) ** 2 / D).reduce((a, b) => a + b));
    for (let f = 0; f < FOREST.size; f++) {
      const share = meanOf((r) => y[r * FOREST.size + f]);
      const w = weights.subarray(f * D, (f + 1) * D);
      for (let i = 0; i < D; i++) {
        const gradient = meanOf((r) => {
          const predicted = w.reduce((sum, weight, k) => sum + weight * x(r, k), 0);
          return x(r, i) * (y[r * FOREST.size + f] - share - predicted);
        });
        expect(gradient).toBeCloseTo(lambda * w[i], 10);
      }
    }
    expect(Math.abs(weights[0])).toBeGreaterThan(0.05);
  });

  it('reads only as many rows as it is told', async () => {
    const all = treeRows(1, 'few');
    const few = await fitProbes(all, 501);
    expect(few).toEqual(await fitProbes({ ...all, count: 501 }));
    expect(few).not.toEqual(await fitProbes(all));
  });

  it('never fires for what never occurred', async () => {
    const probes = await fitProbes(treeRows(1, 'train'));
    expect(probes.thresholds[5]).toBe(Infinity);
    expect([
      ...probeCodes(
        probes,
        Float32Array.from({ length: 3 * D }, () => 1e6),
      ).index,
    ]).not.toContain(5);
  });
});

describe('recoverByProbes', () => {
  it('finds everything that can be read linearly, and the forest', async () => {
    const probes = await fitProbes(treeRows(0.1, 'train'));
    const heldOut = treeRows(0.1, 'held out');
    const { details, recovery, ...numbers } = await recoverByProbes(probes, heldOut, 0.5);
    expect(numbers).toMatchObject({ rows: heldOut.count, features: 5, features_recovered: 5, feature_f1: 1 });
    expect([...details.match]).toEqual([0, 1, 2, 3, 4]);
    expect([...details.forest.parent]).toEqual([-1, 0, 1, -1, 3]);
    expect(recovery.edge.f1).toBe(1);
  });

  it('finds no forest where nothing can be read', async () => {
    const probes = await fitProbes(treeRows(1e4, 'train'));
    const { recovery } = await recoverByProbes(probes, treeRows(1e4, 'held out'), 0.9);
    expect(recovery.edge.f1).toBe(0);
  });
});

const f1At = (scores: readonly number[], on: readonly boolean[], threshold: number): number => {
  const fired = scores.map((score) => score >= threshold);
  const hits = fired.filter((fires, i) => fires && on[i]).length;
  return (2 * hits) / (fired.filter(Boolean).length + on.filter(Boolean).length);
};

describe('bestThreshold', () => {
  it('lies midway to the next score below', () => {
    expect(bestThreshold(Float64Array.of(0, 1, 4, 5), Uint32Array.of(2, 3))).toBe(2.5);
    expect(bestThreshold(Float64Array.of(3, 4), Uint32Array.of(0, 1))).toBe(3);
    expect(bestThreshold(Float64Array.of(3, 4), new Uint32Array())).toBe(Infinity);
  });

  it('is as good as any other, ties included', () => {
    const row = fc.tuple(fc.integer({ min: -5, max: 5 }), fc.boolean());
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 30 }), (rows) => {
        const [scores, on] = [rows.map(([score]) => score), rows.map(([, isOn]) => isOn)];
        const positives = Uint32Array.from([...on.keys()].filter((i) => on[i]));
        const threshold = bestThreshold(Float64Array.from(scores), positives);
        if (positives.length === 0) return threshold === Infinity;
        return f1At(scores, on, threshold) >= Math.max(...scores.map((score) => f1At(scores, on, score))) - 1e-12;
      }),
    );
  });
});

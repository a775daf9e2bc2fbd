import { describe, expect, it } from 'vitest';
import { orthogonalize } from '../../../src/activations/synth-bench/orthogonalize.ts';
import { Random } from '../../../src/core/random.ts';
import { normalizeRows } from '../../../src/core/rows.ts';

function directions(features: number, d: number): Float32Array {
  const random = new Random(features, d);
  const rows = Float32Array.from({ length: features * d }, () => random.normal());
  normalizeRows(rows, d);
  return rows;
}

/** Adam on Σ_{i≠j} (g_i·g_j)² + N Σ (‖g_i‖² − 1)², pair by pair. */
function pairByPair(start: Float32Array, d: number, steps: number, rate: number): Float64Array {
  const G = Float64Array.from(start);
  const n = G.length / d;
  const [first, second] = [new Float64Array(G.length), new Float64Array(G.length)];
  for (let t = 1; t <= steps; t++) {
    const gradient = new Float64Array(G.length);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        let dot = 0;
        for (let k = 0; k < d; k++) dot += G[i * d + k] * G[j * d + k];
        const weight = i === j ? 4 * n * (dot - 1) : 4 * dot;
        for (let k = 0; k < d; k++) gradient[i * d + k] += weight * G[j * d + k];
      }
    }
    for (let e = 0; e < G.length; e++) {
      first[e] = 0.9 * first[e] + 0.1 * gradient[e];
      second[e] = 0.999 * second[e] + 0.001 * gradient[e] ** 2;
      const root = Math.sqrt(second[e] / (1 - 0.999 ** t)) + 1e-8;
      G[e] -= (rate * first[e]) / (1 - 0.9 ** t) / root;
    }
  }
  return G;
}

describe('orthogonalisation', () => {
  it.each([
    [2, 3],
    [5, 8],
    [37, 13],
    [300, 24],
  ])('of %i directions in %i dimensions takes the steps that pairs of them give', async (features, d) => {
    const start = directions(features, d);
    const got = start.slice();
    await orthogonalize(got, d, { steps: 6, rate: 1e-3 });
    const want = Float32Array.from(pairByPair(start, d, 6, 1e-3));
    normalizeRows(want, d);
    // A gradient that is nearly 0 may have either sign, and Adam takes whole steps; there are few of them.
    const off = got.filter((value, e) => Math.abs(value - want[e]) > 1e-5).length;
    expect(off).toBeLessThan(0.01 * got.length);
    expect(got.some((value, e) => Math.abs(value - start[e]) > 1e-4)).toBe(true);
  });

  it('gives the same bits on any number of threads', async () => {
    const start = directions(203, 20);
    const results = [];
    for (const threads of [1, 2, 3]) {
      const rows = start.slice();
      const done: number[] = [];
      await orthogonalize(rows, 20, { steps: 4, rate: 1e-3, threads, onStep: (step) => void done.push(step) });
      expect(done).toEqual([1, 2, 3, 4]);
      results.push(rows);
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  it('drives directions apart and keeps their norms', async () => {
    const [features, d] = [60, 40];
    const rows = directions(features, d);
    const overlap = (): number => {
      let sum = 0;
      for (let i = 0; i < features; i++) {
        for (let j = 0; j < i; j++) {
          let dot = 0;
          for (let k = 0; k < d; k++) dot += rows[i * d + k] * rows[j * d + k];
          sum += dot * dot;
        }
      }
      return sum;
    };
    const before = overlap();
    await orthogonalize(rows, d, { steps: 400, rate: 3e-3 });
    // The least possible (Welch): Σ_{i≠j} cos² ≥ N²/d − N.
    const least = (features ** 2 / d - features) / 2;
    expect(overlap()).toBeLessThan(0.1 * before + least);
    for (let i = 0; i < features; i++) {
      expect(Math.hypot(...rows.subarray(i * d, (i + 1) * d))).toBeCloseTo(1, 6);
    }
  });
});

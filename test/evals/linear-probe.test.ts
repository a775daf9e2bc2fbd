import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/core/errors.ts';
import { Random } from '../../src/core/random.ts';
import { auc } from '../../src/evals/auc.ts';
import { fitProbe, probeLogits, type ProbeOptions } from '../../src/evals/linear-probe.ts';
import { SafetensorsFile } from '../../src/formats/safetensors.ts';

/** Rows around +mean or −mean on the first axis. */
function clouds(n: number, d: number, mean: number, seed = 0): { x: Float64Array; labels: Uint8Array } {
  const random = new Random(seed, 'clouds');
  const labels = Uint8Array.from({ length: n }, (_, i) => i % 2);
  const x = Float64Array.from({ length: n * d }, (_, i) => {
    const shift = i % d === 0 ? (labels[Math.floor(i / d)] ? mean : -mean) : 0;
    return random.normal() + shift;
  });
  return { x, labels };
}

describe('fitProbe against scikit-learn', () => {
  const folder = join(import.meta.dirname, '../fixtures/metrics/sparse-probing/a');
  const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as {
    latents: number;
    k: Record<
      string,
      {
        latents: number[];
        test_accuracy: number;
        train_accuracy: number;
        coefficients_converged: number[];
        intercept_converged: number;
      }
    >;
    tolerance: { coefficients: number };
  };
  const file = SafetensorsFile.open(join(folder, 'inputs.safetensors'));
  const columns = (name: string, chosen: readonly number[]): Float32Array => {
    const all = file.readFloat32(name);
    const rows = all.length / expected.latents;
    return Float32Array.from({ length: rows * chosen.length }, (_, i) => {
      return all[Math.floor(i / chosen.length) * expected.latents + chosen[i % chosen.length]];
    });
  };
  const labels = (name: string): Uint8Array => Uint8Array.from(file.readInt32(name));

  it.each(Object.entries(expected.k))('finds the converged coefficients of %s latents', (_, want) => {
    const probe = fitProbe(columns('train_x', want.latents), want.latents.length, labels('train_y'));
    expect(probe.converged).toBe(true);
    const got = [...probe.weights, probe.intercept];
    for (const [i, coefficient] of [...want.coefficients_converged, want.intercept_converged].entries()) {
      expect(Math.abs(got[i] - coefficient)).toBeLessThanOrEqual(expected.tolerance.coefficients);
    }
    for (const [part, accuracy] of [
      ['train', want.train_accuracy],
      ['test', want.test_accuracy],
    ] as const) {
      const truth = labels(`${part}_y`);
      const right = probeLogits(probe, columns(`${part}_x`, want.latents)).filter(
        (logit, i) => logit > 0 === (truth[i] === 1),
      );
      expect(right.length / truth.length).toBe(accuracy);
    }
  });
});

/** ∇J at the probe, written out naively. */
function gradient(
  x: Float64Array,
  d: number,
  labels: Uint8Array,
  { weights, intercept }: { weights: Float64Array; intercept: number },
  { c = 1, classWeight }: ProbeOptions,
): number[] {
  const positives = labels.filter((label) => label === 1).length;
  const result = [...weights, 0];
  labels.forEach((label, i) => {
    const logit = weights.reduce((sum, w, j) => sum + w * x[i * d + j], intercept);
    const balance = classWeight ? labels.length / (2 * (label ? positives : labels.length - positives)) : 1;
    const error = c * balance * (1 / (1 + Math.exp(-logit)) - label);
    for (let j = 0; j < d; j++) result[j] += error * x[i * d + j];
    result[d] += error;
  });
  return result;
}

describe('fitProbe', () => {
  it('ends where the gradient vanishes, whatever the scale, the penalty and the balance', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1000 }),
        fc.constantFrom(1, 3, 9),
        fc.constantFrom(0.01, 1, 100),
        fc.constantFrom(0.01, 1, 30),
        fc.constantFrom(undefined, 'balanced' as const),
        (seed, d, c, scale, classWeight) => {
          const { x, labels } = clouds(40, d, 1, seed);
          labels[0] = 1;
          const scaled = x.map((value) => value * scale);
          const options: ProbeOptions = { c, ...(classWeight && { classWeight }) };
          const probe = fitProbe(scaled, d, labels, options);
          expect(probe.converged).toBe(true);
          for (const component of gradient(scaled, d, labels, probe, options)) {
            expect(Math.abs(component)).toBeLessThan(1e-4 * c * 40);
          }
        },
      ),
    );
  });

  it('separates what is separable, ignores what is not informative, and is deterministic', () => {
    const { x, labels } = clouds(2000, 5, 3);
    const probe = fitProbe(x, 5, labels);
    expect(auc(probeLogits(probe, x), labels)).toBeGreaterThan(0.999);
    expect(Math.abs(probe.weights[0])).toBeGreaterThan(10 * Math.abs(probe.weights[3]));
    expect(fitProbe(x, 5, labels)).toEqual(probe);
  });

  it('moves the threshold of a rare class only if asked to balance', () => {
    const { x, labels } = clouds(4000, 2, 0.7);
    const kept = [...labels.keys()].filter((i) => labels[i] === 0 || i % 20 === 1);
    const rare = Uint8Array.from(kept, (i) => labels[i]);
    const rows = Float64Array.from(kept.flatMap((i) => [...x.subarray(2 * i, 2 * i + 2)]));
    const plain = fitProbe(rows, 2, rare);
    const balanced = fitProbe(rows, 2, rare, { classWeight: 'balanced' });
    expect(plain.intercept).toBeLessThan(-1.5);
    expect(Math.abs(balanced.intercept)).toBeLessThan(0.3);
  });

  it('says so when it was stopped early', () => {
    const { x, labels } = clouds(200, 4, 1);
    expect(fitProbe(x, 4, labels, { maxIterations: 2 })).toMatchObject({ converged: false, iterations: 2 });
  });

  it('refuses data of one class', () => {
    for (const label of [0, 1]) {
      expect(() => fitProbe(new Float64Array(6), 2, new Uint8Array(3).fill(label))).toThrow(InputError);
    }
    expect(() => fitProbe(new Float64Array(6), 2, new Uint8Array(3))).toThrow('0 of 3 rows are positive');
  });
});

describe('auc', () => {
  const cases = fc.array(fc.record({ score: fc.integer({ min: -4, max: 4 }), label: fc.constantFrom(0, 1) }), {
    maxLength: 30,
  });

  it('counts pairs', () => {
    fc.assert(
      fc.property(cases, (rows) => {
        const pairs = rows.flatMap((a) =>
          rows.filter((b) => a.label === 1 && b.label === 0).map((b) => a.score - b.score),
        );
        const wins = pairs.reduce((sum, gap) => sum + (gap > 0 ? 1 : gap === 0 ? 0.5 : 0), 0);
        const got = auc(
          rows.map(({ score }) => score),
          rows.map(({ label }) => label),
        );
        if (pairs.length === 0) expect(got).toBeNaN();
        else expect(got).toBeCloseTo(wins / pairs.length, 12);
      }),
    );
  });
});

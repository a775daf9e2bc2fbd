import { describe, expect, it } from 'vitest';
import { codesFromDense, type Codes } from '../../src/core/codes.ts';
import { Random } from '../../src/core/random.ts';
import { bestLatents, FiringOverlap, matchByFiring } from '../../src/forest/firing-overlap.ts';

/** Features fire at random; each latent copies one, or nothing, with some mistakes. */
function world(
  rows: number,
  features: number,
  latents: number,
): { codes: Codes; truth: Codes; a: Float32Array; on: Float32Array } {
  const random = new Random(rows, features);
  const on = Float32Array.from({ length: rows * features }, () => (random.uniform() < 0.15 ? 1 : 0));
  const a = Float32Array.from({ length: rows * latents }, (_, e) => {
    const [r, i] = [Math.floor(e / latents), e % latents];
    const copied = i < features ? on[r * features + i] : random.uniform() < 0.2 ? 1 : 0;
    return random.uniform() < 0.05 * (i % 4) ? 1 - copied : -copied;
  });
  return { codes: codesFromDense(a, rows, latents), truth: codesFromDense(on, rows, features), a, on };
}

function part(codes: Codes, from: number, to: number): Codes {
  return { ...codes, rows: to - from, rowPtr: codes.rowPtr.subarray(from, to + 1) };
}

const [ROWS, FEATURES, LATENTS] = [400, 9, 14];
const { codes, truth, a, on } = world(ROWS, FEATURES, LATENTS);

function f1ByDefinition(latent: number, feature: number): { f1: number; precision: number; recall: number } {
  const counts = { both: 0, fired: 0, on: 0 };
  for (let r = 0; r < ROWS; r++) {
    const [i, j] = [a[r * LATENTS + latent] !== 0, on[r * FEATURES + feature] !== 0];
    if (i && j) counts.both++;
    if (i) counts.fired++;
    if (j) counts.on++;
  }
  const [precision, recall] = [counts.both / counts.fired, counts.both / counts.on];
  return { f1: (2 * precision * recall) / (precision + recall) || 0, precision, recall };
}

function overlapOf(...cuts: number[]): FiringOverlap {
  const overlap = new FiringOverlap(LATENTS, FEATURES);
  const ends = [...cuts, ROWS];
  ends.forEach((to, i) =>
    overlap.add(part(codes, i === 0 ? 0 : ends[i - 1], to), part(truth, i === 0 ? 0 : ends[i - 1], to)),
  );
  return overlap;
}

describe('overlap of firing', () => {
  it('has F1 as defined, whatever the batches', () => {
    for (const overlap of [overlapOf(), overlapOf(0, 1, 17, 399)]) {
      expect(overlap.rows).toBe(ROWS);
      let pairs = 0;
      overlap.eachPair((latent, feature, _hits, f1) => {
        expect(f1).toBeCloseTo(f1ByDefinition(latent, feature).f1, 12);
        pairs++;
      });
      expect(pairs).toBe(LATENTS * FEATURES);
      expect(overlap.forgotten).toBe(0);
    }
  });

  it('names the best latent of every feature, and the best one-to-one matching', () => {
    const overlap = overlapOf(100);
    const best = bestLatents(overlap);
    const { feature, f1 } = matchByFiring(overlap, () => true);
    for (let j = 0; j < FEATURES; j++) {
      expect(best.latent[j]).toBe(j);
      const { f1: expected, precision, recall } = f1ByDefinition(j, j);
      expect(best.f1[j]).toBeCloseTo(expected, 12);
      expect(best.precision[j]).toBeCloseTo(precision, 12);
      expect(best.recall[j]).toBeCloseTo(recall, 12);
      expect([feature[j], f1[j]]).toEqual([j, best.f1[j]]);
    }
    expect([...feature.subarray(FEATURES)]).toEqual([-1, -1, -1, -1, -1]);
    const without = matchByFiring(overlap, (latent) => latent !== 3);
    expect(without.feature[3]).toBe(-1);
    expect(without.f1[3]).toBe(0);
  });

  it('forgets hopeless pairs when there are too many, and says so', () => {
    const overlap = new FiringOverlap(LATENTS, FEATURES, 60);
    for (let r = 0; r < ROWS; r++) overlap.add(part(codes, r, r + 1), part(truth, r, r + 1));
    expect(overlap.forgotten).toBeGreaterThan(0);
    let pairs = 0;
    overlap.eachPair((latent, feature, _hits, f1) => {
      expect(f1).toBeLessThanOrEqual(f1ByDefinition(latent, feature).f1 + 1e-12);
      pairs++;
    });
    expect(pairs).toBeLessThanOrEqual(60 + FEATURES);
    // Those that count were never hopeless.
    expect([...bestLatents(overlap).latent]).toEqual([...bestLatents(overlapOf()).latent]);
    const exact = bestLatents(overlapOf()).f1;
    bestLatents(overlap).f1.forEach((f1, j) => expect(exact[j] - f1).toBeLessThan(0.1));
  });

  it('has nothing to say where nothing fires', () => {
    const overlap = new FiringOverlap(2, 3);
    const silent = codesFromDense([0, 0], 1, 2);
    overlap.add(silent, codesFromDense([1, 0, 0], 1, 3));
    expect([...bestLatents(overlap).latent]).toEqual([-1, -1, -1]);
    expect([...matchByFiring(overlap, () => true).feature]).toEqual([-1, -1]);
    expect(() => overlap.add(silent, silent)).toThrow('expected 2 latents and 3 features');
  });
});

import * as fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import { Forest } from '../../src/forest/forest.ts';
import { shuffledForest } from '../../src/forest/null.ts';
import { forestRecovery, type LinkScore } from '../../src/forest/recovery.ts';
import { anyForest } from './arbitrary.ts';

interface ExpectedScore {
  predicted: number;
  predicted_correct: number;
  true: number;
  true_recovered: number;
  precision: number;
  recall: number;
  f1: number;
}

interface Scenario {
  name: string;
  true_parent: number[];
  predicted_parent: number[];
  match: number[];
  expected: {
    edge: ExpectedScore;
    edge_matched_only: ExpectedScore;
    ancestor: ExpectedScore;
    ancestor_matched_only: ExpectedScore;
    error_kinds_of_matched_wrong_edges: { reversed: number; skips_a_level: number; siblings: number; other: number };
    depth_mean_abs_error: number;
    root_accuracy: number;
  };
}

const { scenarios } = JSON.parse(readFileSync(new URL('tree-recovery.json', import.meta.url), 'utf8')) as {
  scenarios: Scenario[];
};

function expectScore(got: LinkScore, want: ExpectedScore): void {
  expect([got.predicted, got.predictedCorrect, got.true, got.trueRecovered]).toEqual([
    want.predicted,
    want.predicted_correct,
    want.true,
    want.true_recovered,
  ]);
  expect(got.precision).toBeCloseTo(want.precision, 9);
  expect(got.recall).toBeCloseTo(want.recall, 9);
  expect(got.f1).toBeCloseTo(want.f1, 9);
}

describe('recovery of a forest', () => {
  it.each(scenarios)('agrees with reference numbers: $name', ({ true_parent, predicted_parent, match, expected }) => {
    const got = forestRecovery(new Forest(true_parent), new Forest(predicted_parent), Int32Array.from(match));
    expectScore(got.edge, expected.edge);
    expectScore(got.edgeMatchedOnly, expected.edge_matched_only);
    expectScore(got.ancestor, expected.ancestor);
    expectScore(got.ancestorMatchedOnly, expected.ancestor_matched_only);
    const { skips_a_level: skipsLevel, ...kinds } = expected.error_kinds_of_matched_wrong_edges;
    expect(got.wrongEdges).toEqual({ ...kinds, skipsLevel });
    expect(got.depthError).toBeCloseTo(expected.depth_mean_abs_error, 9);
    expect(got.rootAccuracy).toBeCloseTo(expected.root_accuracy, 9);
  });

  it('is perfect for the forest itself', () => {
    fc.assert(
      fc.property(anyForest(), (forest) => {
        const got = forestRecovery(
          forest,
          forest,
          Int32Array.from({ length: forest.size }, (_, i) => i),
        );
        const perfect = forest.edgeCount === 0 ? 0 : 1;
        for (const score of [got.edge, got.edgeAmongMatched, got.ancestor]) expect(score.f1).toBe(perfect);
      }),
    );
  });

  it('among matched latents asks only for edges whose two ends were found', () => {
    // The chain 0 → 1 → 2 and the edge 0 → 3; feature 2 has no latent, latent 3 no feature.
    const truth = new Forest([-1, 0, 1, 0]);
    const got = forestRecovery(truth, new Forest([-1, 0, -1, 0]), Int32Array.of(0, 1, 3, -1));
    expect(got.edgeAmongMatched).toMatchObject({ predicted: 1, predictedCorrect: 1, true: 2, trueRecovered: 1 });
    expect(got.edgeMatchedOnly).toMatchObject({ predicted: 1, predictedCorrect: 1, true: 3, trueRecovered: 1 });
    expect(got.edge).toMatchObject({ predicted: 2, predictedCorrect: 1, true: 3, trueRecovered: 1 });
  });

  it('is near 0 for shuffled parents', () => {
    const truth = new Forest(Int32Array.from({ length: 1000 }, (_, i) => (i < 200 ? -1 : (i - 200) >> 2)));
    const match = Int32Array.from({ length: 1000 }, (_, i) => i);
    expect(forestRecovery(truth, shuffledForest(truth, new Random(1)), match).edge.f1).toBeLessThan(0.02);
  });

  it('refuses a match of another size', () => {
    expect(() => forestRecovery(new Forest([-1]), new Forest([-1]), new Int32Array(2))).toThrow('2 matches');
  });
});

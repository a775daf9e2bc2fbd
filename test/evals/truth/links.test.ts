import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/core/random.ts';
import { Bootstrap } from '../../../src/evals/metric.ts';
import { commonDepth, depthError } from '../../../src/evals/truth/common-ancestors.ts';
import { linkMetrics } from '../../../src/evals/truth/links.ts';
import { Forest } from '../../../src/forest/forest.ts';
import { forestRecovery } from '../../../src/forest/recovery.ts';

const forests = (size: number): fc.Arbitrary<Forest> =>
  fc
    .tuple(...Array.from({ length: size }, (_, i) => fc.integer({ min: -1, max: i - 1 })))
    .map((parents) => new Forest(parents));

describe('common ancestors', () => {
  it('are the lowest that both have, themselves included', () => {
    fc.assert(
      fc.property(forests(12), fc.nat(11), fc.nat(11), (forest, a, b) => {
        const upA = [a, ...forest.ancestors(a)];
        const upB = new Set([b, ...forest.ancestors(b)]);
        const lowest = upA.find((node) => upB.has(node));
        expect(commonDepth(forest, a, b)).toBe(lowest === undefined ? -1 : forest.depth[lowest]);
      }),
    );
  });

  it('differ by levels', () => {
    // Truth: 0 – 1 – 2 and 0 – 3; learned: 1 under 0, 2 under 3, so that 1 and 2 have none, and 0 and 3 have none.
    const truth = new Forest([-1, 0, 1, 0]);
    const learned = new Forest([-1, 0, 3, -1]);
    const { error } = depthError(learned, Int32Array.of(0, 1, 2, 3), truth, new Random(0));
    // (1,0): 0 and 0 · (2,0): −1 and 0 · (2,1): −1 and 1 · (3,0): −1 and 0 · (3,1): −1 and 0 · (3,2): 0 and 0
    expect([...error].sort()).toEqual([0, 0, 1, 1, 1, 2]);
  });

  it('do not matter where neither forest has any', () => {
    const none = new Forest([-1, -1, -1]);
    expect(depthError(none, Int32Array.of(0, 1, -1), none, new Random(0)).error).toHaveLength(0);
  });
});

describe('links', () => {
  const cases = fc.record({
    truth: forests(12),
    learned: forests(14),
    match: fc.array(fc.integer({ min: -1, max: 11 }), { minLength: 14, maxLength: 14 }),
  });

  it('add up to what forestRecovery counts', () => {
    fc.assert(
      fc.property(cases, ({ truth, learned, match }) => {
        const bootstrap = new Bootstrap({ count: 12, label: '12 features' }, 0);
        const named = {
          forest: learned,
          how: 'a forest',
          match: Int32Array.from(match),
          best: new Int32Array(14).fill(-1),
        };
        const occurs = new Uint8Array(12).fill(1);
        const metrics = linkMetrics(named, { truth, occurs, found: 'by name', bootstrap, seed: 0 });
        const recovery = forestRecovery(truth, learned, named.match);
        for (const [name, score, matched] of [
          ['edge', recovery.edge, recovery.edgeMatchedOnly],
          ['ancestor', recovery.ancestor, recovery.ancestorMatchedOnly],
        ] as const) {
          const numbers = {
            [`${name}_precision`]: [score.precision, score.predicted],
            [`${name}_recall`]: [score.recall, score.true],
            [`${name}_f1`]: [score.f1, score.true],
            [`${name}_precision_matched`]: [matched.precision, matched.predicted],
            [`${name}_f1_matched`]: [matched.f1, score.true],
          };
          for (const [key, [value, n]] of Object.entries(numbers)) {
            expect(metrics[key].n).toBe(n);
            if (n < 5) expect(metrics[key].value).toBeNull();
            else expect(metrics[key].value).toBeCloseTo(value, 12);
          }
        }
      }),
      { numRuns: 20 },
    );
  });

  it('to features that do not occur are not asked for', () => {
    const truth = new Forest([-1, 0, 0, 0, 0, 0, 0]);
    const bootstrap = new Bootstrap({ count: 7, label: '7 features' }, 0);
    const named = {
      forest: truth,
      how: '',
      match: Int32Array.of(0, 1, 2, 3, 4, 5, -1),
      best: new Int32Array(7).fill(-1),
    };
    const recall = (occurs: Uint8Array): number | null =>
      linkMetrics(named, { truth, occurs, found: '', bootstrap, seed: 0 }).edge_recall.value;
    expect(recall(new Uint8Array(7).fill(1))).toBeCloseTo(5 / 6, 12);
    expect(recall(Uint8Array.of(1, 1, 1, 1, 1, 1, 0))).toBe(1);
  });

  it('refine where the child is below its parent, by the best features alone', () => {
    const truth = new Forest([-1, 0, 0, 1, 1, -1]);
    const bootstrap = new Bootstrap({ count: 6, label: '6 features' }, 0);
    const forest = new Forest([-1, 0, 0, 0, 0, 0, 0]);
    // Below the latent of 0: 1, 3, 0 again, 5 of another tree, nothing, 4.
    const best = Int32Array.of(0, 1, 3, 0, 5, -1, 4);
    const named = { forest, how: '', match: new Int32Array(7).fill(-1), best };
    const occurs = new Uint8Array(6).fill(1);
    const { refinement } = linkMetrics(named, { truth, occurs, found: '', bootstrap, seed: 0 });
    expect(refinement).toMatchObject({ n: 5 });
    expect(refinement.value).toBeCloseTo(3 / 5, 12);
  });
});

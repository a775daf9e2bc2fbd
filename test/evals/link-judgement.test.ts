import { expect, it } from 'vitest';
import { judgeLinks } from '../../src/evals/link-judgement.ts';
import { Forest } from '../../src/forest/forest.ts';

/** Three trees of three levels: feature 3i is a root, 3i + 1 its child, 3i + 2 its grandchild. */
const truth = new Forest([-1, 0, 1, -1, 3, 4, -1, 6, 7]);

it('counts links to anything above as right, and those between the same feature not at all', () => {
  // Latents for 0, 2 (skips a level), 2 again (under itself), 1 (upside down), 5 (of another tree), nothing.
  const match = Int32Array.of(0, 2, 2, 1, 5, -1);
  const forest = new Forest([-1, 0, 1, 1, 0, 0]);
  const { links, right } = judgeLinks(truth, { forest, match });
  expect(links).toBe(3);
  expect(right).toBeCloseTo(1 / 3);
});

it('is at chance when the latents of a level are dealt anew', () => {
  // Every root over every second-level feature, so that a shuffled forest is right once in three.
  const roots = [0, 3, 6];
  const match = Int32Array.from([...roots, ...Array.from({ length: 300 }, (_, i) => 3 * (i % 3) + 1)]);
  const forest = new Forest([-1, -1, -1, ...Array.from({ length: 300 }, (_, i) => i % 3)]);
  const judged = judgeLinks(truth, { forest, match });
  expect(judged).toMatchObject({ links: 300, right: 1 });
  expect(judged.by_chance).toBeGreaterThan(0.25);
  expect(judged.by_chance).toBeLessThan(0.42);
});

it('has no share of nothing', () => {
  const nothing = judgeLinks(truth, { forest: new Forest([-1, 0]), match: Int32Array.of(-1, 2) });
  expect(nothing).toEqual({ links: 0, right: NaN, by_chance: 0 });
});

import { expect, it } from 'vitest';
import { compareWithAll } from '../../src/claims/tree-sae/greedy.ts';
import { greedyQuotas } from '../../src/forest/allocation.ts';

it('greedy is never worse than the best way, and a bad rule is found out', () => {
  const greedy = compareWithAll(greedyQuotas);
  // Σ over 1 … 4 parents of 5^parents capacities × 8 numbers of children.
  expect(greedy.cases).toBe((5 + 25 + 125 + 625) * 8);
  expect(greedy.wrong).toBe(0);
  const allToTheFirst = compareWithAll((capacity, _eligible, children) =>
    capacity.map((_, p) => (p === 0 ? children : 0)),
  );
  expect(allToTheFirst.ways).toBe(greedy.ways);
  expect(allToTheFirst.wrong).toBeGreaterThan(0);
});

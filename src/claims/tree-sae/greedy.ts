/** Whether the greedy quotas of Tree SAE are the best ones. */
import type { Claim } from '../claim.ts';
import { greedyQuotas } from '../../forest/allocation.ts';
import { show } from '../words.ts';

/** All cases of up to so many parents, children, and capacities of 1, 2, …. */
const LIMITS = { parents: 4, children: 8, capacity: 5 };

export const treeGreedy: Claim = {
  id: 'tree-greedy',
  paper: 'tree-sae',
  statement: 'Greedy quotas are optimal.',
  published: 'theorem 4.1: k* = argmax over Σ k_p = n of min_p C_p / k_p',
  protocol:
    `Every case of 1 to ${LIMITS.parents} parents with capacities of 1 to ${LIMITS.capacity} and 1 to ${LIMITS.children} children, against all ` +
    'ways of giving the children away. No data, no seeds.',
  rule: 'The smallest capacity per child of the greedy quotas is the largest possible one in every case.',
  async test() {
    const { cases, wrong, ways } = compareWithAll(greedyQuotas);
    return {
      verdict: wrong === 0 ? 'holds' : wrong === cases ? 'does not hold' : 'mixed',
      because:
        `${cases} cases, ${ways} ways in all: greedy was worse than the best in ${wrong} of them (${show((100 * wrong) / cases)} %). Small cases ` +
        'prove nothing about large ones, but the argument of the theorem does not depend on size.',
      comparisons: [],
      tables: [
        {
          title: 'Greedy quotas against all ways',
          columns: ['cases', 'ways to give the children away', 'cases in which another way is better'],
          rows: [[cases, ways, wrong]],
        },
      ],
    };
  },
};

type Quotas = (capacity: readonly number[], eligible: readonly boolean[], children: number) => ArrayLike<number>;

/** @param quotas what is put to the test */
export function compareWithAll(quotas: Quotas): { cases: number; wrong: number; ways: number } {
  let [cases, wrong, ways] = [0, 0, 0];
  for (let parents = 1; parents <= LIMITS.parents; parents++) {
    for (const capacity of tuples(parents, LIMITS.capacity)) {
      for (let children = 1; children <= LIMITS.children; children++) {
        const eligible = capacity.map(() => true);
        let best = 0;
        for (const way of distributions(parents, children)) {
          best = Math.max(best, leastShare(capacity, way));
          ways++;
        }
        cases++;
        if (leastShare(capacity, quotas(capacity, eligible, children)) < best) wrong++;
      }
    }
  }
  return { cases, wrong, ways };
}

/** min_p C_p / k_p; parents without children do not count. */
const leastShare = (capacity: readonly number[], quota: ArrayLike<number>): number =>
  Math.min(...capacity.map((c, p) => (quota[p] > 0 ? c / quota[p] : Infinity)));

/** All tuples of numbers from 1 to `most`. */
function* tuples(length: number, most: number): Generator<number[]> {
  if (length === 0) yield [];
  else for (let first = 1; first <= most; first++) for (const rest of tuples(length - 1, most)) yield [first, ...rest];
}

/** All ways to give `children` to `parents`. */
function* distributions(parents: number, children: number): Generator<number[]> {
  if (parents === 1) yield [children];
  else {
    for (let first = 0; first <= children; first++)
      for (const rest of distributions(parents - 1, children - first)) yield [first, ...rest];
  }
}

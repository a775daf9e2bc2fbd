/** Pair and family measures of the suite `hierarchy` on given codes: coverage, dominance, refinement, Hamming, correlation, siblings. */
import { join } from 'node:path';
import { z } from 'zod';
import { codesFromDense } from '../../core/codes.ts';
import {
  FAMILY_MEASURES,
  pairValue,
  mismatches,
  type FiringTotals,
  type PairName,
} from '../../evals/hierarchy/firing-statistics.ts';
import { largestActivations } from '../../evals/hierarchy/firing-metrics.ts';
import { meanOverlap } from '../../evals/hierarchy/sibling-overlap.ts';
import { meanOfDefined } from '../../evals/hierarchy/resampling.ts';
import { Random } from '../../core/random.ts';
import { familiesOf, familiesOfLists, type Families } from '../../forest/families.ts';
import { Firings } from '../../forest/firings.ts';
import { Forest } from '../../forest/forest.ts';
import { sumFamiliesRanked } from '../../forest/rank-correlation.ts';
import { overlapOf, siblingFamilies, siblingPairs } from '../../forest/siblings.ts';
import { SafetensorsFile } from '../../formats/safetensors.ts';
import { readJson } from '../fixture.ts';
import type { Report } from '../report.ts';
import { compareDefined } from './nullable.ts';

const number = z.number().nullable();
const expectedSchema = z.object({
  latents: z.number().int(),
  pairs: z.array(
    z.object({
      parent: z.number().int(),
      child: z.number().int(),
      p_parent_given_child: number,
      p_child_given_parent: number,
      activation_dominance: number,
      mcs: number,
      mcs_binary: number,
      weighted_p_parent_given_child: number,
    }),
  ),
  families: z.array(
    z.object({
      parent: z.number().int(),
      refinement_frequency: number,
      conditional_spearman_max: number,
      conditional_pearson_max: number,
      mean_sibling_iou: number,
    }),
  ),
  summary: z.object({
    mean_p_parent_given_child: z.number(),
    hamming_or_per_token: z.number(),
    mean_family_sibling_iou: z.number(),
    sibling_iou_tree_sae: z.number(),
  }),
  tolerance: z.number().positive(),
});

/** Their name and ours. */
const PAIRS = {
  p_parent_given_child: 'p_parent_given_child',
  p_child_given_parent: 'p_child_given_parent',
  activation_dominance: 'dominance',
  mcs: 'mcs',
  mcs_binary: 'mcs_binary',
  weighted_p_parent_given_child: 'p_parent_given_child_weighted',
} as const satisfies Readonly<Record<string, PairName>>;
const FAMILIES = {
  refinement_frequency: 'refinement_frequency',
  conditional_spearman_max: 'conditional_correlation',
  conditional_pearson_max: 'conditional_correlation_pearson',
} as const;

export function runHierarchyPairs(folder: string, report: Report): void {
  const expected = readJson(join(folder, 'expected.json'), expectedSchema);
  const file = SafetensorsFile.open(join(folder, 'inputs.safetensors'));
  try {
    const { latents, tolerance: abs, summary } = expected;
    const code = file.readFloat32('code');
    const firings = new Firings(latents);
    firings.add(codesFromDense(code, code.length / latents, latents));
    const forest = new Forest(file.readInt32('parent'));
    const families = familiesOf(forest);
    const totals = totalsOf(firings, families);
    const order = expected.pairs.map(({ parent, child }) =>
      families.child.findIndex((c, pair) => c === child && families.parent[families.family[pair]] === parent),
    );
    const near = { abs };
    for (const [theirs, ours] of Object.entries(PAIRS) as [keyof typeof PAIRS, PairName][]) {
      // A cosine with a parent that is never active beside the child: 0 in Tree SAE's code and here, undefined in this fixture.
      const isDefined = (pair: number): boolean =>
        ours !== 'mcs' || pairValue('p_parent_given_child', totals, families, pair) > 0;
      const values = order.map((pair) => (isDefined(pair) ? pairValue(ours, totals, families, pair) : NaN));
      const stored = expected.pairs.map((pair) => pair[theirs]);
      compareDefined(report, theirs, values, stored, near);
    }
    const places = expected.families.map(({ parent }) => families.parent.indexOf(parent));
    for (const [theirs, ours] of Object.entries(FAMILIES) as [keyof typeof FAMILIES, keyof typeof FAMILY_MEASURES][]) {
      const values = places.map((f) => FAMILY_MEASURES[ours].value(totals, f));
      const stored = expected.families.map((family) => family[theirs]);
      compareDefined(report, theirs, values, stored, near);
    }
    const p = order.map((pair) => pairValue('p_parent_given_child', totals, families, pair));
    report.compare('mean_p_parent_given_child', meanOfDefined(p), summary.mean_p_parent_given_child, near);
    // Fixture: the sum over all parents, whatever their level.
    const level = new Int32Array(families.parent.length);
    const [sum] = mismatches(totals, { ...families, level }, 1);
    report.compare('hamming_or_per_token', sum / firings.rows, summary.hamming_or_per_token, near);
    const overlap = (of: Families): number => siblingOverlapOf(firings, of);
    const siblings = places.map((f) => overlap(oneFamily(families, f)));
    const stored = expected.families.map((family) => family.mean_sibling_iou);
    compareDefined(report, 'mean_sibling_iou', siblings, stored, near);
    report.compare('mean_family_sibling_iou', meanOfDefined(siblings), summary.mean_family_sibling_iou, near);
    const whole = siblingFamilies(families, (child) => firings.countOf(child) > 0, true);
    report.compare('sibling_iou_tree_sae', overlap(whole), summary.sibling_iou_tree_sae, near);
  } finally {
    file.close();
  }
}

/** Over all rows. */
export function totalsOf(firings: Firings, families: Families): FiringTotals {
  const { pairs, families: groups, ranks } = sumFamiliesRanked(firings, families);
  const all = new Float64Array([1]);
  return {
    pairs: pairs.weighted(all),
    families: groups.weighted(all),
    ranks: ranks.weighted(all),
    largest: largestActivations(firings),
  };
}

/** Mean over all pairs of siblings. */
export function siblingOverlapOf(firings: Firings, families: Families): number {
  const pairs = siblingPairs(families, Infinity, new Random(0));
  return meanOverlap(overlapOf(firings, pairs).weighted(new Float64Array([1])));
}

function oneFamily({ parent, level, ptr, child }: Families, f: number): Families {
  return familiesOfLists(parent.subarray(f, f + 1), level.subarray(f, f + 1), [child.subarray(ptr[f], ptr[f + 1])]);
}

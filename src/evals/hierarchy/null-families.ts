/** Random families for metrics that sums over rows do not make. */
import { Random } from '../../core/random.ts';
import { familiesOf, type Families } from '../../forest/families.ts';
import type { Forest } from '../../forest/forest.ts';
import { FrequencyMatched, NEAREST_FREQUENCIES, SAME_FREQUENCY, shuffledForest } from '../../forest/null.ts';
import { besideNull, type Metric, type Metrics } from '../metric.ts';
import { allBesideNull, type Values } from './resampling.ts';

/** Random forests of each null. */
const DRAWS = 20;

const SHUFFLED = 'the same with the latents of every level of the forest dealt anew: level and family sizes stay';
const AS_FREQUENT =
  `replaced by a random latent of its level whose firing frequency is within a factor of ${SAME_FREQUENCY}, ` +
  `or among the ${NEAREST_FREQUENCIES} nearest`;
const MATCHED_PARENTS = `the same with every parent ${AS_FREQUENT}; children and families stay`;
const MATCHED_CHILDREN = `the same with every child ${AS_FREQUENT}`;

export interface NullFamilies {
  readonly shuffled: readonly Families[];
  readonly matchedParents: readonly Families[];
  readonly matchedChildren: readonly Families[];
}

/** @param frequency `[F]` rows in which each latent fired */
export function nullFamilies(forest: Forest, frequency: Float64Array, seed: number): NullFamilies {
  const families = familiesOf(forest);
  const matched = new FrequencyMatched(forest, frequency);
  const draws = (name: string, draw: (random: Random) => Families): Families[] =>
    Array.from({ length: DRAWS }, (_, i) => draw(new Random(seed, 'hierarchy', name, i)));
  return {
    shuffled: draws('shuffled', (random) => familiesOf(shuffledForest(forest, random))),
    matchedParents: draws('frequency matched', (random) => matched.parents(families, random)),
    matchedChildren: draws('frequency-matched children', (random) => matched.children(families, random)),
  };
}

/** The metrics of which the null families have values too. */
export function allBesideNulls(metrics: Metrics, nulls: NullFamilies, values: (families: Families) => Values): Metrics {
  const shuffled = allBesideNull(metrics, 'shuffled', nulls.shuffled.map(values), SHUFFLED);
  return allBesideNull(shuffled, 'frequency_matched', nulls.matchedParents.map(values), MATCHED_PARENTS);
}

/** @param matches which ends of a pair are replaced by latents of the same frequency */
export function besideNulls(
  measured: Metric,
  nulls: NullFamilies,
  matches: 'parents' | 'children',
  value: (families: Families) => number,
): Metric {
  if (measured.value === null) return measured;
  const draws = (families: readonly Families[]): Float64Array => Float64Array.from(families, value);
  const [matched, definition] =
    matches === 'parents' ? [nulls.matchedParents, MATCHED_PARENTS] : [nulls.matchedChildren, MATCHED_CHILDREN];
  return besideNull(
    besideNull(measured, 'shuffled', draws(nulls.shuffled), SHUFFLED),
    'frequency_matched',
    draws(matched),
    definition,
  );
}

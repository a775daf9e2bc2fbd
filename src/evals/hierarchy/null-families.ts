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
  /** Told how far the draws of a metric are. */
  readonly onProgress: OnNullProgress;
}

export type OnNullProgress = (what: string, done: number, total: number) => void;

/** @param frequency `[F]` rows in which each latent fired */
export function nullFamilies(
  forest: Forest,
  frequency: Float64Array,
  seed: number,
  onProgress: OnNullProgress = () => {},
): NullFamilies {
  const families = familiesOf(forest);
  const matched = new FrequencyMatched(forest, frequency);
  const draws = (name: string, draw: (random: Random) => Families): Families[] =>
    Array.from({ length: DRAWS }, (_, i) => draw(new Random(seed, 'hierarchy', name, i)));
  return {
    shuffled: draws('shuffled', (random) => familiesOf(shuffledForest(forest, random))),
    matchedParents: draws('frequency matched', (random) => matched.parents(families, random)),
    matchedChildren: draws('frequency-matched children', (random) => matched.children(families, random)),
    onProgress,
  };
}

/** The values in every draw. @param before draws of the same metric that are done */
function overDraws<T>(
  families: readonly Families[],
  value: (families: Families) => T,
  { what, before, onProgress }: { what: string; before: number; onProgress: OnNullProgress },
): T[] {
  return families.map((of, i) => {
    const drawn = value(of);
    onProgress(`random families for ${what}`, before + i + 1, 2 * DRAWS);
    return drawn;
  });
}

/** The metrics of which the null families have values too. @param what they are, for whoever waits */
export function allBesideNulls(
  metrics: Metrics,
  nulls: NullFamilies,
  what: string,
  values: (families: Families) => Values,
): Metrics {
  const { onProgress } = nulls;
  const shuffled = overDraws(nulls.shuffled, values, { what, before: 0, onProgress });
  const matched = overDraws(nulls.matchedParents, values, { what, before: DRAWS, onProgress });
  return allBesideNull(
    allBesideNull(metrics, 'shuffled', shuffled, SHUFFLED),
    'frequency_matched',
    matched,
    MATCHED_PARENTS,
  );
}

interface Beside {
  /** What the metric is, for whoever waits. */
  readonly what: string;
  /** Which ends of a pair are replaced by latents of the same frequency. */
  readonly matches: 'parents' | 'children';
}

export function besideNulls(
  measured: Metric,
  nulls: NullFamilies,
  { what, matches }: Beside,
  value: (families: Families) => number,
): Metric {
  if (measured.value === null) return measured;
  const { onProgress } = nulls;
  const draws = (families: readonly Families[], before: number): Float64Array =>
    Float64Array.from(overDraws(families, value, { what, before, onProgress }));
  const [matched, definition] =
    matches === 'parents' ? [nulls.matchedParents, MATCHED_PARENTS] : [nulls.matchedChildren, MATCHED_CHILDREN];
  return besideNull(
    besideNull(measured, 'shuffled', draws(nulls.shuffled, 0), SHUFFLED),
    'frequency_matched',
    draws(matched, DRAWS),
    definition,
  );
}

/** Differences between translations as metrics, beside those between sentences that do not translate each other. */
import { Random } from '../../core/random.ts';
import { meanOfDefined } from '../hierarchy/resampling.ts';
import { besideNull, insufficient, total, type Bootstrap, type Metric, type Metrics } from '../metric.ts';
import { TOP, type AlignedSets } from './top-latents.ts';

const DRAWS = 20;
/** Aligned tokens that a number needs. */
const LEAST = 20;

/** @param prefix of the names; @param where for definitions, e.g. `at the last token of translated sentences` */
export function differenceMetrics(
  sets: AlignedSets,
  languages: readonly string[],
  bootstrap: Bootstrap,
  seed: number,
  { prefix, where }: { prefix: string; where: string },
): Metrics {
  const pairs = languages.flatMap((_, b) => languages.slice(0, b).map((_, a) => [a, b] as const));
  const random = new Random(seed, 'evals', 'languages', prefix);
  const others = sets.rows > 1 ? Array.from({ length: DRAWS }, () => sets.otherRows(random)) : [];
  const of = (some: typeof pairs, value: PairValue, meaning: { unit: string; definition: string }): Metric => {
    const mean = (row: number, other: number): number =>
      meanOfDefined(some.map(([a, b]) => value(sets.compare(row, a, other, b))));
    const [numerator, denominator] = [new Float64Array(bootstrap.units.count), new Float64Array(bootstrap.units.count)];
    sets.documents.forEach((document, row) => {
      const difference = mean(row, row);
      if (Number.isNaN(difference)) return;
      numerator[document] += difference;
      denominator[document]++;
    });
    const n = total(denominator);
    if (n < LEAST) {
      return insufficient(`${n} comparable aligned tokens, at least ${LEAST} are needed`, { n, ...meaning });
    }
    const draws = others.map((other) => meanOfDefined(Array.from(other, (b, row) => mean(row, b))));
    return besideNull(
      bootstrap.ratio(numerator, denominator, meaning),
      'shuffled_pairing',
      Float64Array.from(draws),
      `the same between tokens that do not translate each other: each against a random other one, ${DRAWS} draws`,
    );
  };
  const difference = (some: typeof pairs): Metric =>
    of(some, ({ different }) => different, {
      unit: 'latents',
      definition:
        `mean |A △ B| of the sets of the ${TOP} latents with the largest activations ${where}, 0 … ${2 * TOP}, ` +
        `of ${names(some)}; fewer where fewer latents are on`,
    });
  return {
    [`${prefix}symmetric_difference`]: difference(pairs),
    ...Object.fromEntries(
      pairs.map((pair) => [
        `${prefix}symmetric_difference_${languages[pair[0]]}_${languages[pair[1]]}`,
        difference([pair]),
      ]),
    ),
    [`${prefix}jaccard_distance`]: of(pairs, ({ different, any }) => different / any, {
      unit: 'share',
      definition: `mean |A △ B| / |A ∪ B| of the same sets, those of which both are empty left out: does not depend on how many latents are on; ${names(pairs)}`,
    }),
  };

  function names(some: typeof pairs): string {
    return some.map(([a, b]) => `${languages[a]}–${languages[b]}`).join(', ');
  }
}

/** NaN where there is nothing to compare. */
type PairValue = (sets: { different: number; any: number }) => number;

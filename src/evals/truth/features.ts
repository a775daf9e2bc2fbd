/** Whether the true features have latents of their own, by when these fire: matched on some rows, scored on others. */
import type { Codes } from '../../core/codes.ts';
import type { LatentRange } from '../../engine/kernels.ts';
import type { FiringOverlap } from '../../forest/firing-overlap.ts';
import type { Forest } from '../../forest/forest.ts';
import { FiringAgreement } from '../../forest/truth.ts';
import { MIN_FIRINGS } from '../live-latents.ts';
import { besideNull, insufficient, type Bootstrap, type Metrics } from '../metric.ts';
import { matchInLevels } from '../truth-recovery.ts';

/** Features, latents or links that a number needs at least. */
export const LEAST = 5;

/** Latents that stand for features, one to one in every level, and how well in the rows that are added. */
export class MatchedFeatures {
  /** `[latents]` feature of each, −1 for none. */
  readonly match: Int32Array;
  /** `[features]` the latent that told each best where they were matched: the best of several levels; −1 for none. */
  readonly latent: Int32Array;
  readonly #agreement: FiringAgreement;
  #rows = 0;

  /** @param overlap of the rows that are matched on; @param live latents that take part */
  constructor(overlap: FiringOverlap, live: ReadonlySet<number>, levels: readonly LatentRange[]) {
    const { feature, f1 } = matchInLevels(overlap, live, levels);
    this.match = feature;
    this.latent = new Int32Array(overlap.features).fill(-1);
    feature.forEach((j, i) => {
      if (j !== -1 && (this.latent[j] === -1 || f1[i] > f1[this.latent[j]])) this.latent[j] = i;
    });
    this.#agreement = new FiringAgreement(feature, overlap.features);
  }

  add(codes: Codes, truth: Codes): void {
    this.#agreement.add(codes, truth);
    this.#rows += codes.rows;
  }

  scores(): FeatureScores {
    const { precision, recall, f1 } = this.#agreement.scores();
    const { fired, on } = this.#agreement;
    const ofFeatures = (value: (latent: number, feature: number) => number): Float64Array =>
      Float64Array.from(this.latent, (latent, feature) => (latent === -1 ? 0 : value(latent, feature)));
    return {
      ofLatents: f1,
      f1: ofFeatures((latent) => f1[latent]),
      precision: ofFeatures((latent) => precision[latent]),
      recall: ofFeatures((latent) => recall[latent]),
      chance: {
        f1: ofFeatures((latent, j) => {
          const both = fired[latent] * on[j];
          return both === 0 ? 0 : (2 * both) / (fired[latent] + on[j]) / this.#rows;
        }),
        precision: ofFeatures((_latent, j) => on[j] / this.#rows),
        recall: ofFeatures((latent) => fired[latent] / this.#rows),
      },
    };
  }
}

interface PerFeature {
  /** `[features]` of the latent that stands for each, 0 without one. */
  readonly f1: Float64Array;
  readonly precision: Float64Array;
  readonly recall: Float64Array;
}

export interface FeatureScores extends PerFeature {
  /** `[latents]` F1 of each with its feature, 0 without one. */
  readonly ofLatents: Float64Array;
  /** What would be expected if latent and feature fired as often as they do, but independently. */
  readonly chance: PerFeature;
}

/** Features that occur often enough to be judged; the bootstrap's units are all features of the truth. */
export interface Judged {
  readonly truth: Forest;
  /** `[features]` 1 for those that were on in at least {@link MIN_FIRINGS} rows of each half. */
  readonly occurs: Uint8Array;
  /** F1 from which a feature counts as found. */
  readonly leastF1: number;
  readonly bootstrap: Bootstrap;
}

const MATCHED =
  'the feature’s own latent: one to one with the largest Σ F1, in each level that reconstructs alone, matched on the first half of the ' +
  'rows and scored on the second';
const FIRES = 'fires = adds a vector of at least 0.1 root mean square norms of the inputs';
const INDEPENDENT =
  'expected if that latent and the feature fired as often as they do, but independently of each other';

export function featureMetrics({ truth, occurs, leastF1, bootstrap }: Judged, scores: FeatureScores): Metrics {
  const isKind = Uint8Array.from(occurs, (judged, j) => (judged && truth.children(j).length > 0 ? 1 : 0));
  const isLeaf = occurs.map((judged, j) => (judged && !isKind[j] ? 1 : 0));
  const found = (of: PerFeature): Float64Array => of.f1.map((f1) => (f1 >= leastF1 ? 1 : 0));
  const over = (values: (of: PerFeature) => Float64Array, among: Uint8Array, unit: string, definition: string) => {
    const members = among.reduce((sum, is) => sum + is, 0);
    const meaning = {
      unit,
      definition: `${definition}; ${members} features that are on in ≥ ${MIN_FIRINGS} rows of each half`,
    };
    if (members < LEAST) {
      const why = `${members} features occur often enough, at least ${LEAST} are needed: take more --rows`;
      return insufficient(why, { n: members, ...meaning });
    }
    const denominator = Float64Array.from(among);
    const numerator = (of: PerFeature): Float64Array => values(of).map((value, j) => value * among[j]);
    const measured = bootstrap.ratio(numerator(scores), denominator, meaning);
    const chance = numerator(scores.chance).reduce((sum, value) => sum + value, 0) / members;
    return besideNull(measured, 'independent', Float64Array.of(chance), INDEPENDENT);
  };
  const share = `features with F1 ≥ ${leastF1} / features, F1 = that of ${MATCHED}, 0 without one; ${FIRES}`;
  const mean = (what: string): string => `mean over features of ${what} of ${MATCHED}, 0 without one; ${FIRES}`;
  return {
    feature_f1: over(({ f1 }) => f1, occurs, 'F1', mean('F1 = 2 hits / (firings + rows with the feature on)')),
    feature_precision: over(
      ({ precision }) => precision,
      occurs,
      'share of firings',
      mean('P(feature on | latent fires)'),
    ),
    feature_recall: over(({ recall }) => recall, occurs, 'share of rows', mean('P(latent fires | feature on)')),
    features_found: over(found, occurs, 'share of features', share),
    kinds_found: over(
      found,
      isKind,
      'share of features',
      `${share}; among features with others below them in the true forest`,
    ),
    leaves_found: over(
      found,
      isLeaf,
      'share of features',
      `${share}; among features with none below them in the true forest`,
    ),
  };
}

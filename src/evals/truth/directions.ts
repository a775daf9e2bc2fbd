/**
 * Latents against the true directions (SAELens `sae_lens/synthetic/evals.py`): cosines of decoder rows, and firing against the feature of
 * the nearest direction.
 */
import type { Codes } from '../../core/codes.ts';
import { Random } from '../../core/random.ts';
import type { LatentRange } from '../../engine/kernels.ts';
import { assignSparse, type WeightedPair } from '../../forest/sparse-assignment.ts';
import { absoluteCosines, FiringAgreement, matchLatents } from '../../forest/truth.ts';
import { besideNull, dot, total, type Bootstrap, type Metric, type Metrics } from '../metric.ts';

/** Up to so many cosines are held at once, and the matching is exact. */
const MOST_COSINES = 2 ** 24;
/** Beyond it: nearest features of every latent, and nearest latents of every feature, that may be matched. */
const NEAREST = 32;

/** Random dictionaries that stand beside the judged one: 20, fewer where they would take minutes. */
const drawsFor = (cosines: number): number => Math.min(20, Math.max(1, Math.floor(2 ** 25 / cosines)));

/** What the directions alone say. */
export interface NearestDirections {
  /** `[latents]` feature with the largest |cos|, the first of equal ones. */
  readonly nearest: Int32Array;
  /** `[features]` |cos| of the latent in the one-to-one matching with the largest Σ |cos|, 0 without one. */
  readonly matchedCosine: Float64Array;
  readonly isExact: boolean;
}

/** @param decoder `[latents, d]`; @param directions `[features, d]`; @param mostCosines up to which the matching is exact */
export function nearestDirections(
  decoder: Float32Array,
  directions: Float32Array,
  d: number,
  mostCosines = MOST_COSINES,
): NearestDirections {
  const [latents, features] = [decoder.length / d, directions.length / d];
  const matchedCosine = new Float64Array(features);
  if (latents * features <= mostCosines) {
    const cosines = absoluteCosines(decoder, directions, d);
    const { nearest, oneToOne } = matchLatents(cosines, latents, features);
    oneToOne.forEach((j, i) => {
      if (j !== -1) matchedCosine[j] = cosines[i * features + j];
    });
    return { nearest, matchedCosine, isExact: true };
  }
  const { nearest, pairs } = nearPairs(decoder, directions, d);
  const feature = assignSparse(pairs, latents, features);
  for (const { row, column, weight } of pairs) if (feature[row] === column) matchedCosine[column] = weight;
  return { nearest, matchedCosine, isExact: false };
}

/** The largest cosines of every latent and of every feature, from a few latents at a time. */
function nearPairs(
  decoder: Float32Array,
  directions: Float32Array,
  d: number,
): { nearest: Int32Array; pairs: WeightedPair[] } {
  const [latents, features] = [decoder.length / d, directions.length / d];
  const nearest = new Int32Array(latents);
  const ofFeature = Array.from({ length: features }, () => new Largest(NEAREST));
  const pairs = new Map<number, WeightedPair>();
  const keep = (row: number, column: number, weight: number): void =>
    void pairs.set(row * features + column, { row, column, weight });
  const together = Math.max(1, Math.floor(MOST_COSINES / 8 / features));
  for (let first = 0; first < latents; first += together) {
    const some = decoder.subarray(first * d, (first + together) * d);
    const cosines = absoluteCosines(some, directions, d);
    for (let i = 0; i < some.length / d; i++) {
      const ofLatent = new Largest(NEAREST);
      for (let j = 0; j < features; j++) {
        const cosine = cosines[i * features + j];
        ofLatent.offer(j, cosine);
        ofFeature[j].offer(first + i, cosine);
        if (cosine > cosines[i * features + nearest[first + i]]) nearest[first + i] = j;
      }
      ofLatent.forEach((j, cosine) => keep(first + i, j, cosine));
    }
  }
  ofFeature.forEach((largest, j) => largest.forEach((i, cosine) => keep(i, j, cosine)));
  return { nearest, pairs: [...pairs.values()] };
}

/** The largest few of many numbers, above 0. */
class Largest {
  readonly #id: Int32Array;
  readonly #value: Float64Array;

  constructor(size: number) {
    this.#id = new Int32Array(size).fill(-1);
    this.#value = new Float64Array(size);
  }

  offer(id: number, value: number): void {
    let at = this.#value.length - 1;
    if (!(value > this.#value[at])) return;
    for (; at > 0 && value > this.#value[at - 1]; at--) {
      this.#value[at] = this.#value[at - 1];
      this.#id[at] = this.#id[at - 1];
    }
    this.#value[at] = value;
    this.#id[at] = id;
  }

  forEach(visit: (id: number, value: number) => void): void {
    this.#id.forEach((id, at) => {
      if (id !== -1) visit(id, this.#value[at]);
    });
  }
}

/** Firing of the latents of a view against the features of their nearest directions. */
export class DirectionScores {
  readonly #range: LatentRange;
  readonly #near: NearestDirections;
  readonly #agreement: FiringAgreement;
  readonly #directions: Float32Array;
  readonly #d: number;

  /** @param decoder `[width, d]` of all latents; @param directions `[features, d]` */
  constructor(range: LatentRange, decoder: Float32Array, directions: Float32Array, d: number) {
    this.#range = range;
    this.#directions = directions;
    this.#d = d;
    this.#near = nearestDirections(decoder.subarray(range.from * d, range.to * d), directions, d);
    const match = new Int32Array(decoder.length / d).fill(-1);
    match.set(this.#near.nearest, range.from);
    this.#agreement = new FiringAgreement(match, directions.length / d);
  }

  /** @param codes of all latents; any activation but 0 counts */
  add(codes: Codes, truth: Codes): void {
    this.#agreement.add(codes, truth);
  }

  /** What as many random directions as there are latents would give. */
  #chance(seed: number): { mcc: Float64Array; uniqueness: Float64Array; definition: string } {
    const { from, to } = this.#range;
    const features = this.#directions.length / this.#d;
    const draws = Array.from({ length: drawsFor((to - from) * features) }, (_, draw) => {
      const random = new Random(seed, 'evals', 'truth', 'random directions', draw);
      const decoder = Float32Array.from({ length: (to - from) * this.#d }, () => random.normal());
      return nearestDirections(decoder, this.#directions, this.#d);
    });
    return {
      mcc: Float64Array.from(draws, ({ matchedCosine }) => total(matchedCosine) / Math.min(to - from, features)),
      uniqueness: Float64Array.from(draws, ({ nearest }) => new Set(nearest).size / (to - from)),
      definition: `the same for as many decoder rows in random directions, ${draws.length} draws`,
    };
  }

  /** @param bootstrap over the features; @param seed of random directions */
  metrics(bootstrap: Bootstrap, seed: number): Metrics {
    const { nearest, matchedCosine, isExact } = this.#near;
    const { from, to } = this.#range;
    const features = matchedCosine.length;
    const latentsOf = new Float64Array(features);
    for (const j of nearest) latentsOf[j]++;
    // min(latents, features) pairs count: those that were not formed, or only at a right angle, are spread over the other features.
    const formed = matchedCosine.reduce((sum, cosine) => sum + (cosine > 0 ? 1 : 0), 0);
    const missing = (Math.min(to - from, features) - formed) / (features - formed);
    const counted = matchedCosine.map((cosine) => (cosine > 0 ? 1 : missing));
    const isNearest = latentsOf.map((count) => (count > 0 ? 1 : 0));
    const scores = this.#agreement.scores();
    const perFeature = (values: Float64Array): Float64Array => {
      const sums = new Float64Array(features);
      nearest.forEach((j, i) => (sums[j] += values[from + i]));
      return sums;
    };
    const chance = this.#chance(seed);
    const beside = (name: 'mcc' | 'uniqueness', measured: Metric): Metric =>
      besideNull(measured, 'random_directions', chance[name], chance.definition);
    return {
      mcc: beside(
        'mcc',
        bootstrap.of((weights) => dot(weights, matchedCosine) / dot(weights, counted), {
          n: Math.min(to - from, features),
          unit: '|cosine|',
          definition:
            'Σ |cos(decoder row, direction)| / min(latents, features) over the one-to-one matching with the largest sum (Hungarian)' +
            (isExact
              ? ''
              : `; a lower bound: matched are only pairs among the ${NEAREST} nearest of either side, others count 0`),
        }),
      ),
      uniqueness: beside(
        'uniqueness',
        bootstrap.of((weights) => ((dot(weights, isNearest) / total(weights)) * features) / (to - from), {
          n: to - from,
          unit: 'share',
          definition: 'number of distinct argmax_j |cos(decoder row, direction j)| / number of latents',
        }),
      ),
      latent_f1: bootstrap.ratio(perFeature(scores.f1), latentsOf, {
        unit: 'F1',
        definition: mean('2 hits / (firings + rows with feature j on)'),
      }),
      latent_precision: bootstrap.ratio(perFeature(scores.precision), latentsOf, {
        unit: 'share of firings',
        definition: mean('P(feature j on | latent fires)'),
      }),
      latent_recall: bootstrap.ratio(perFeature(scores.recall), latentsOf, {
        unit: 'share of rows',
        definition: mean('P(latent fires | feature j on)'),
      }),
    };
  }
}

const mean = (what: string): string =>
  `mean over latents of ${what}, j = argmax |cos(decoder row, direction)| (SAELens); fires = activation ≠ 0; 0 where undefined, so for ` +
  'dead latents';

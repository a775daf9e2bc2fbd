/** Latents that fire in one language only, and whether another language has one for the same concept. */
import type { Codes } from '../../core/codes.ts';
import { Random } from '../../core/random.ts';
import type { LatentRange } from '../../engine/kernels.ts';
import { bestFeatures, FiringOverlap } from '../../forest/firing-overlap.ts';
import { MIN_FIRINGS } from '../live-latents.ts';
import { besideNull, Bootstrap, insufficient, type Metric, type Metrics } from '../metric.ts';

/** Share of its firings that a latent of one language has there. */
const SPECIFIC = 0.9;
/** F1 from which a latent expresses a concept. */
const EXPRESSES = 0.5;
/** Pairs of latents and concepts that are counted at once, in each language. */
const MOST_PAIRS = 2 ** 21;
const DRAWS = 100;
const LEAST = 5;

/** What fires where, language by language. */
export class LanguageFirings {
  readonly #overlaps: readonly FiringOverlap[];

  /** @param concepts how many are known, 0 for none */
  constructor(languages: number, latents: number, concepts: number) {
    this.#overlaps = Array.from({ length: languages }, () => new FiringOverlap(latents, concepts, MOST_PAIRS));
  }

  add(language: number, codes: Codes, truth: Codes): void {
    this.#overlaps[language].add(codes, truth);
  }

  /** Language of every latent of a range; −1 for several, −2 for those that fire too rarely to tell. */
  languagesOf({ from, to }: LatentRange): Int32Array {
    return Int32Array.from({ length: to - from }, (_, i) => {
      const fired = this.#overlaps.map((overlap) => overlap.fired[from + i]);
      const all = fired.reduce((sum, count) => sum + count, 0);
      return all < MIN_FIRINGS ? -2 : fired.findIndex((count) => count >= SPECIFIC * all);
    });
  }

  /** @param range latents of a view; @param seed of the draws */
  metrics(range: LatentRange, languages: readonly string[], seed: number): Metrics {
    const languageOf = this.languagesOf(range);
    const live = languageOf.filter((language) => language !== -2);
    return {
      language_specific: specificShare(live, seed),
      ...(this.#overlaps[0].features > 0 && { redundant_share: this.#redundant(range, languageOf, languages, seed) }),
    };
  }

  #redundant(range: LatentRange, languageOf: Int32Array, languages: readonly string[], seed: number): Metric {
    const concepts = this.#overlaps[0].features;
    /** `[languages][concepts]` 1 for those that a latent of the language expresses. */
    const expressed = this.#overlaps.map((overlap, language) => {
      const is = new Uint8Array(concepts);
      overlap.eachPair((latent, concept, _hits, f1) => {
        if (f1 >= EXPRESSES && languageOf[latent - range.from] === language) is[concept] = 1;
      });
      return is;
    });
    const best = this.#overlaps.map(bestFeatures);
    const specific = [...languageOf.keys()].flatMap((i) => {
      const language = languageOf[i];
      if (language < 0) return [];
      const { feature, f1 } = best[language];
      return f1[range.from + i] >= EXPRESSES ? [{ language, concept: feature[range.from + i] }] : [];
    });
    const isShared = (language: number, concept: number): boolean =>
      expressed.some((is, other) => other !== language && is[concept] === 1);
    const meaning = {
      unit: 'share of latents',
      definition:
        `language-specific latents whose concept a latent specific to another language expresses as well / language-specific latents with ` +
        `a concept; specific = ≥ ${100 * SPECIFIC} % of at least ${MIN_FIRINGS} firings in one language, concept = that of the largest ` +
        `F1 of firing among the words of that language, expresses = F1 ≥ ${EXPRESSES} there; ${languages.join(', ')}`,
    };
    if (specific.length < LEAST) {
      const why = `${specific.length} language-specific latents express a concept, at least ${LEAST} are needed`;
      return insufficient(why, { n: specific.length, ...meaning });
    }
    const [shared, all] = [new Float64Array(concepts), new Float64Array(concepts)];
    for (const { language, concept } of specific) {
      all[concept]++;
      if (isShared(language, concept)) shared[concept]++;
    }
    const units = { count: concepts, label: `${concepts} concepts` };
    const said = this.#overlaps.map(({ on }) => [...on.keys()].filter((concept) => on[concept] >= MIN_FIRINGS));
    const random = new Random(seed, 'evals', 'languages', 'concepts');
    const draws = Float64Array.from({ length: DRAWS }, () => {
      const hits = specific.filter(({ language }) =>
        isShared(language, said[language][random.below(said[language].length)]),
      );
      return hits.length / specific.length;
    });
    return besideNull(
      new Bootstrap(units, seed).ratio(shared, all, meaning),
      'random_concepts',
      draws,
      `the same with a random concept of the language in place of each latent's own, ${DRAWS} draws`,
    );
  }
}

/** Latents are the units: which of them there are depends on the SAE, so that SAEs cannot be compared pair by pair. */
function specificShare(live: Int32Array, seed: number): Metric {
  const meaning = {
    unit: 'share of latents',
    definition: `latents with ≥ ${100 * SPECIFIC} % of their firings in one language / latents that fire at least ${MIN_FIRINGS} times`,
  };
  if (live.length < LEAST) {
    return insufficient(`${live.length} latents fire often enough, at least ${LEAST} are needed`, {
      n: live.length,
      ...meaning,
    });
  }
  const units = { count: live.length, label: `${live.length} latents` };
  const isSpecific = Float64Array.from(live, (language) => (language >= 0 ? 1 : 0));
  const ones = new Float64Array(live.length).fill(1);
  const { replicates: _, ...measured } = new Bootstrap(units, seed).ratio(isSpecific, ones, meaning);
  return measured;
}

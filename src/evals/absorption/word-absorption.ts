/** Absorption and splitting of properties of words in an SAE: SAEBench's protocol after the probes (methods 7.2, steps 3 to 5). */
import { Random } from '../../core/random.ts';
import type { View } from '../../sae/architecture.ts';
import type { EvalContext } from '../context.ts';
import { besideNull, Bootstrap, insufficient, type Meaning, type Metrics } from '../metric.ts';
import { rootMeanSquare } from '../live-latents.ts';
import type { ProbedProperty, ProbedSet } from './property-probes.ts';
import { LEAST_PROBE_F1 } from './property-probes.ts';
import { splitLatents } from './split-latents.ts';
import { compact, encodeWords, type CompactCodes, type WordCodes } from './word-codes.ts';
import type { WordRows } from './word-rows.ts';
import { absorptionOf, type Contribution } from './word-rules.ts';

const NULL_DRAWS = 20;
/** Latents of the nearest frequencies, on either side, that a main latent may be replaced with. */
const NEIGHBOURS = 10;

export const WORD_METRICS = ['absorption_full', 'absorption_fraction', 'split_features', 'split_f1', 'probe_f1'];

export interface JudgedWords {
  readonly words: WordRows;
  readonly set: ProbedSet;
  /** For definitions: where the words come from. */
  readonly protocol: string;
}

/** Of one property in one view. */
interface PropertyResult {
  readonly full: number;
  readonly fraction: number;
  readonly splits: number;
  readonly splitF1: number;
  /** `[draws]` the same with random main latents. */
  readonly randomFull: readonly number[];
  readonly randomFraction: readonly number[];
}

/** Metrics by the name of the view. */
export async function wordAbsorption(context: EvalContext, judged: JudgedWords): Promise<Map<string, Metrics>> {
  const { sae, onProgress } = context;
  const encoded = await encodeWords(context, judged.words);
  const byView = new Map<string, Metrics>();
  const { probed } = judged.set;
  for (const [v, view] of sae.views.entries()) {
    const reader = new ViewReader(judged, encoded, view, context.seed);
    const results = probed.map((property, i) => {
      const result = reader.measure(property, i);
      onProgress('properties of words', v * probed.length + i + 1, sae.views.length * probed.length);
      return result;
    });
    byView.set(view.name, metricsOf(results, judged, context.seed, view.name === 'full'));
  }
  return byView;
}

class ViewReader {
  readonly #words: WordRows;
  readonly #encoded: WordCodes;
  readonly #view: View;
  readonly #seed: number;
  /** SAEs take inputs at any scale, the penalties of probes do not: as if ‖x‖² had a mean of d. */
  readonly #scale: number;
  readonly #trainRows: readonly number[];
  readonly #testRows: readonly number[];
  readonly #train: CompactCodes;
  /** Latents that fire in training rows, by how often. */
  readonly #byFrequency: readonly number[];

  constructor({ words }: JudgedWords, encoded: WordCodes, view: View, seed: number) {
    const { d, inputs, codes } = encoded;
    this.#words = words;
    this.#encoded = encoded;
    this.#view = view;
    this.#seed = seed;
    this.#scale = Math.sqrt(d) / rootMeanSquare(inputs, d);
    const rows = [...words.isTest.keys()];
    this.#trainRows = rows.filter((row) => !words.isTest[row]);
    this.#testRows = rows.filter((row) => words.isTest[row]);
    this.#train = compact(codes, this.#trainRows, view, this.#scale);
    const fired = new Float64Array(this.#train.latents.length);
    for (const column of this.#train.codes.index) fired[column]++;
    const columns = [...fired.keys()].sort((a, b) => fired[a] - fired[b] || a - b);
    this.#byFrequency = columns.map((column) => this.#train.latents[column]);
  }

  /** @param number of the property, names the random draws */
  measure({ property, direction, positives }: ProbedProperty, number: number): PropertyResult {
    const { occurrences } = this.#words;
    const labelsOf = (rows: readonly number[]): Uint8Array =>
      Uint8Array.from(rows, (row) => Number(property.has(occurrences[row])));
    const split = splitLatents({
      train: this.#train,
      labels: labelsOf(this.#trainRows),
      testColumn: (latent) => this.#testColumn(latent),
      testLabels: labelsOf(this.#testRows),
    });
    const words = positives.map((row) => {
      return { active: this.#contributions(row, direction), projection: this.#projection(row, direction) };
    });
    const absorbed = (main: ReadonlySet<number>): { full: number; fraction: number } => {
      const results = words.map(({ active, projection }) => absorptionOf(active, main, projection));
      return {
        full: results.filter(({ full }) => full).length / results.length,
        fraction: results.reduce((sum, { fraction }) => sum + fraction, 0) / results.length,
      };
    };
    const random = Array.from({ length: NULL_DRAWS }, (_, draw) => absorbed(this.#random(split.latents, number, draw)));
    return {
      ...absorbed(new Set(split.latents)),
      splits: Math.max(1, split.latents.length),
      splitF1: split.f1,
      randomFull: random.map(({ full }) => full),
      randomFraction: random.map(({ fraction }) => fraction),
    };
  }

  #contributions(row: number, direction: Float64Array): Contribution[] {
    const { codes, decoder, d } = this.#encoded;
    const { from, to } = this.#view;
    const active: Contribution[] = [];
    for (let e = codes.rowPtr[row]; e < codes.rowPtr[row + 1]; e++) {
      const latent = codes.index[e];
      if (latent < from || latent >= to) continue;
      let [dot, square] = [0, 0];
      for (let j = 0, at = latent * d; j < d; j++, at++) {
        dot += decoder[at] * direction[j];
        square += decoder[at] * decoder[at];
      }
      active.push({ latent, activation: codes.value[e], cosine: square === 0 ? 0 : dot / Math.sqrt(square) });
    }
    return active;
  }

  #projection(row: number, direction: Float64Array): number {
    const { inputs, d } = this.#encoded;
    return direction.reduce((sum, p, j) => sum + p * inputs[row * d + j], 0);
  }

  #testColumn(latent: number): Float64Array {
    const { rowPtr, index, value } = this.#encoded.codes;
    return Float64Array.from(this.#testRows, (row) => {
      for (let e = rowPtr[row]; e < rowPtr[row + 1]; e++) if (index[e] === latent) return this.#scale * value[e];
      return 0;
    });
  }

  /** As many other latents that fire about as often. */
  #random(main: readonly number[], number: number, draw: number): Set<number> {
    const random = new Random(this.#seed, 'evals', 'absorption', 'words', number, draw);
    const taken = new Set(main);
    const chosen = new Set<number>();
    for (const latent of main) {
      const at = this.#byFrequency.indexOf(latent);
      const near = this.#byFrequency.slice(Math.max(0, at - NEIGHBOURS), at + NEIGHBOURS + 1);
      const choices = near.filter((other) => !taken.has(other) && !chosen.has(other));
      if (choices.length > 0) chosen.add(choices[random.below(choices.length)]);
    }
    return chosen;
  }
}

function metricsOf(
  results: readonly PropertyResult[],
  { words, set, protocol }: JudgedWords,
  seed: number,
  isFull: boolean,
): Metrics {
  const { probed } = set;
  const tests = words.isTest.reduce((sum, isTest) => sum + isTest, 0);
  const which =
    `${protocol}; property set: ${set.name} (${probed.length} of ${set.size} with a probe of F1 ≥ ${LEAST_PROBE_F1} on unseen words: ` +
    `${probed.map(({ property }) => property.name).join(', ')}), chosen without the SAE; probes: balanced logistic regression ` +
    `by L-BFGS in place of Adam, on ${words.occurrences.length - tests} rows, tested on ${tests} rows of other words`;
  const units = { count: probed.length, label: `${probed.length} properties` };
  const bootstrap = new Bootstrap(units, seed);
  const counts = new Float64Array(probed.length).fill(1);
  const meanOf = (value: (result: PropertyResult) => number, meaning: Omit<Meaning, 'n'>) =>
    bootstrap.ratio(Float64Array.from(results, value), counts, {
      ...meaning,
      definition: `${meaning.definition}; ${which}`,
    });
  const draws = (values: (result: PropertyResult) => readonly number[]): Float64Array =>
    Float64Array.from({ length: NULL_DRAWS }, (_, draw) => {
      return results.reduce((sum, result) => sum + values(result)[draw], 0) / results.length;
    });
  const random = `main latents replaced with random ones that fire about as often (${NULL_DRAWS} draws)`;
  const rows = 'test words that the probe tells, mean over properties';
  const full = meanOf(({ full }) => full, {
    unit: 'share of words',
    definition:
      `share of the ${rows}, at which all main latents are off and the latent with the largest a·c has c ≥ .025 and a·c ≥ .4 P ` +
      '(a = activation · ‖decoder row‖, c = its cosine with the probe, P = projection of the input on the probe)',
  });
  const fraction = meanOf(({ fraction }) => fraction, {
    unit: 'share of projection',
    definition:
      `A′ / (A′ + m) of the ${rows}: A′ = min(A, P − m), A = the three largest a·c of latents with c ≥ .1 that are not main, m = Σ a·c of the ` +
      'main latents; 0 where m ≥ P or A < .4 P, 1 where m ≤ 0',
  });
  return {
    absorption_full: besideNull(
      full,
      'frequency_matched',
      draws(({ randomFull }) => randomFull),
      random,
    ),
    absorption_fraction: besideNull(
      fraction,
      'frequency_matched',
      draws(({ randomFraction }) => randomFraction),
      random,
    ),
    split_features: meanOf(({ splits }) => splits, {
      unit: 'latents',
      definition:
        'mean over properties of the number of main latents: those with the largest positive weights in an L1 probe (λ = .01), as many, up to ' +
        '10, as each raise the F1 of a logistic probe on them by more than .03',
    }),
    split_f1: meanOf(({ splitF1 }) => splitF1, {
      unit: 'F1',
      definition:
        'mean over properties of F1 of the probe on the main latents alone: low where the SAE has no latents for them',
    }),
    ...(isFull && {
      probe_f1: bootstrap.ratio(
        Float64Array.from(probed, ({ f1 }) => f1),
        counts,
        {
          unit: 'F1',
          definition: `mean over properties of F1 of the probe on the model's own activations; ${which}`,
        },
      ),
    }),
  };
}

/** All metrics of a view where there is nothing to judge by. @param why as chooseSet says */
export function insufficientWords(why: string, rows: number): Metrics {
  const meaning: Meaning = {
    n: rows,
    unit: 'share of words',
    definition: "SAEBench's absorption of properties of words (first letters, or what the model tells in their place)",
  };
  return Object.fromEntries(WORD_METRICS.map((name) => [name, insufficient(why, meaning)]));
}

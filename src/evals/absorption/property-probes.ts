/** Which properties of words a model tells linearly, and the set of them that absorption is judged by. No SAE is asked. */
import { fitProbe, probeLogits } from '../linear-probe.ts';
import type { PropertySet, WordProperty } from './word-properties.ts';
import type { WordRows } from './word-rows.ts';

/** F1 on words that the probe has not seen; SAEBench's bound. */
export const LEAST_PROBE_F1 = 0.6;
/** Different words with the property, for training and for the test, and test rows that the probe gets right. */
const LEAST_WORDS = { train: 20, test: 5, rows: 5 };
/**
 * μ of mean balanced cross entropy + μ/2 ‖w‖², x scaled to a mean square norm of d. SAEBench's Adam (weight decay 1e-6) stops after 50
 * epochs over many words; over few words its minimiser would fit them by heart.
 */
const PENALTY = 0.01;

/** A property that a probe tells. */
export interface ProbedProperty {
  readonly property: WordProperty;
  /** `[d]` p̂, of length 1. */
  readonly direction: Float64Array;
  /** F1 on the test rows. */
  readonly f1: number;
  /** Test rows with the property that the probe gets right. */
  readonly positives: readonly number[];
}

export interface ProbedSet {
  readonly name: string;
  readonly probed: readonly ProbedProperty[];
  /** Properties of the set. */
  readonly size: number;
}

/** What was probed of a set: how many properties have enough words, and those that a probe tells. */
interface Trial {
  readonly enoughWords: number;
  readonly probed: readonly ProbedProperty[];
}

/**
 * The first set with enough properties that a probe tells, or why there is none. A set is given up as soon as it cannot get there.
 * @param onProgress told after every set
 */
export function chooseSet(
  words: WordRows,
  sets: readonly PropertySet[],
  onProgress: (done: number) => void = () => {},
): ProbedSet | string {
  const probe = new Prober(words);
  const failures: string[] = [];
  for (const [i, set] of sets.entries()) {
    const { enoughWords, probed } = tell(probe, set);
    onProgress(i + 1);
    if (probed.length >= set.least) return { name: set.name, probed, size: set.properties.length };
    failures.push(
      enoughWords < set.least
        ? `${set.name}: ${enoughWords} of ${set.properties.length} properties have enough words, ${set.least} are needed`
        : `${set.name}: too few probes reach F1 ${LEAST_PROBE_F1}, ${set.least} are needed`,
    );
  }
  const spellings = new Set(words.occurrences.map(({ word }) => word.toLowerCase())).size;
  return `no set of word properties can be told from the activations at ${words.occurrences.length} occurrences of ${spellings} words (${failures.join('; ')})`;
}

function tell(probe: Prober, { properties, least }: PropertySet): Trial {
  const candidates = properties.filter((property) => probe.hasEnoughWords(property));
  const probed: ProbedProperty[] = [];
  for (const [i, property] of candidates.entries()) {
    if (probed.length + candidates.length - i < least) break;
    const result = probe.fit(property);
    if (result) probed.push(result);
  }
  return { enoughWords: candidates.length, probed };
}

class Prober {
  readonly #words: WordRows;
  readonly #train: readonly number[];
  readonly #test: readonly number[];
  readonly #trainX: Float32Array;
  readonly #testX: Float32Array;

  constructor(words: WordRows) {
    const { x, d, isTest } = words;
    this.#words = words;
    const all = [...isTest.keys()];
    this.#train = all.filter((row) => !isTest[row]);
    this.#test = all.filter((row) => isTest[row]);
    const square = x.reduce((sum, value) => sum + value * value, 0);
    const scale = square > 0 ? Math.sqrt((d * all.length) / square) : 1;
    // The intercept makes up for any shift: without the mean the minimum is the same, and found much sooner.
    const mean = new Float64Array(d);
    for (const row of all) for (let j = 0; j < d; j++) mean[j] += x[row * d + j] / all.length;
    const gather = (rows: readonly number[]): Float32Array => {
      const gathered = new Float32Array(rows.length * d);
      rows.forEach((row, i) => {
        for (let j = 0; j < d; j++) gathered[i * d + j] = scale * (x[row * d + j] - mean[j]);
      });
      return gathered;
    };
    this.#trainX = gather(this.#train);
    this.#testX = gather(this.#test);
  }

  hasEnoughWords(property: WordProperty): boolean {
    const wordsIn = (rows: readonly number[]): number => {
      const having = rows.map((row) => this.#words.occurrences[row]).filter((occurrence) => property.has(occurrence));
      return new Set(having.map(({ word }) => word.toLowerCase())).size;
    };
    return wordsIn(this.#train) >= LEAST_WORDS.train && wordsIn(this.#test) >= LEAST_WORDS.test;
  }

  /** Undefined where the probe is not good enough. */
  fit(property: WordProperty): ProbedProperty | undefined {
    const has = (row: number): boolean => property.has(this.#words.occurrences[row]);
    const labels = Uint8Array.from(this.#train, (row) => Number(has(row)));
    if (labels.every((label) => label === 1)) return undefined;
    const fit = fitProbe(this.#trainX, this.#words.d, labels, {
      c: 1 / (PENALTY * labels.length),
      classWeight: 'balanced',
      tolerance: 1e-5,
      maxIterations: 300,
    });
    const logits = probeLogits(fit, this.#testX);
    const told = this.#test.filter((_, i) => logits[i] > 0);
    const positives = told.filter(has);
    const f1 = (2 * positives.length) / (told.length + this.#test.filter(has).length);
    if (!(f1 >= LEAST_PROBE_F1) || positives.length < LEAST_WORDS.rows) return undefined;
    const norm = Math.hypot(...fit.weights);
    return { property, direction: fit.weights.map((weight) => weight / norm), f1, positives };
  }
}

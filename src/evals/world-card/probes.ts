/**
 * Whether the activations of a model hold the taxonomy of the world: linear probes for its concepts, trained on some words
 * and tested on others. The score is the AUC, 0.5 for chance, averaged over the concepts of a level.
 */
import { Permutation } from '../../core/permutation.ts';
import { Random } from '../../core/random.ts';
import { bootstrapMean, mean, type Interval } from '../../core/statistics.ts';
import { groupBy } from '../../world/group.ts';
import type { World } from '../../world/world.ts';
import { auc } from '../auc.ts';
import { fitProbe, probeLogits, type LinearProbe } from '../linear-probe.ts';
import { probeTrials, type ProbeTest, type ProbeWords, type TestName, type Trial } from './probe-trials.ts';
import type { WordActivations } from './word-activations.ts';

export interface ProbeScore {
  readonly test: TestName;
  readonly site: string;
  /** Of the concepts: 0 for the roots. */
  readonly level: number;
  /** Mean over the concepts that could be tested, with the 95 % interval over them. */
  readonly auc: Interval;
  /**
   * The same with the concepts exchanged among each other at random: what can be had without any order among concepts. That
   * is more than chance where the same concept is on both sides, by heart or by its translation.
   */
  readonly exchanged: Interval;
}

export interface ProbeLimits {
  /** Concepts of a level. */
  readonly concepts: number;
  /** Examples of each class, in training and in a test. */
  readonly examples: number;
}

/** Inverse strength of the penalty; activations are scaled to variance 1. */
const C = 0.03;
/** Examples of a class without which there is nothing to learn or to test. */
const LEAST = 5;

interface Outcome {
  readonly test: TestName;
  readonly concept: number;
  readonly auc: number;
}

export function probeTaxonomy(
  world: World,
  words: ProbeWords,
  limits: ProbeLimits,
  seed: number,
  onSite: (site: string) => void,
): ProbeScore[] {
  const { forest } = world.taxonomy;
  const trials = probeTrials(world, words, new Random(seed, 'folds'));
  const concepts = [...world.names.keys()];
  const inOrder = (order: Permutation): number[] => concepts.map((_, i) => order.at(i));
  const exchanged = inOrder(new Permutation(concepts.length, new Random(seed, 'exchanged concepts')));
  const probed = [
    ...groupBy(
      inOrder(new Permutation(concepts.length, new Random(seed, 'concepts'))),
      (concept) => forest.depth[concept],
    ),
  ]
    .sort(([a], [b]) => a - b)
    .flatMap(([, concepts]) => concepts.slice(0, limits.concepts));

  const place = ({ test, concept }: Outcome): string => `${test} ${forest.depth[concept]}`;
  const score = (key: string, of: readonly Outcome[]): Interval => {
    const byConcept = [...groupBy(of, ({ concept }) => concept).values()].map((group) => mean(group.map((o) => o.auc)));
    return bootstrapMean(byConcept, new Random(seed, 'bootstrap', key));
  };
  return [...words.train.sites.keys()].flatMap((site) => {
    onSite(site);
    const prober = new Prober(world, words, site, limits.examples);
    const outcomes = prober.run(trials, probed, concepts);
    const control = prober.run(trials, probed, exchanged);
    const controls = groupBy(control, place);
    return [...groupBy(outcomes, place)].map(([key, group]) => ({
      test: group[0].test,
      site,
      level: forest.depth[group[0].concept],
      auc: score(key, group),
      exchanged: score(key, controls.get(key) ?? []),
    }));
  });
}

/** Fits and tests probes on the activations of one site. */
class Prober {
  readonly #world: World;
  readonly #words: ProbeWords;
  readonly #activations: Record<keyof ProbeWords, Float32Array>;
  readonly #d: number;
  readonly #examples: number;

  constructor(world: World, words: ProbeWords, site: string, examples: number) {
    const at = ({ sites }: WordActivations): Float32Array => sites.get(site)!;
    const d = at(words.train).length / words.train.rows;
    const scale = scaleOf(at(words.train), d);
    this.#world = world;
    this.#words = words;
    this.#d = d;
    this.#examples = examples;
    this.#activations = {
      train: scale(at(words.train)),
      heldOut: scale(at(words.heldOut)),
      combinations: scale(at(words.combinations)),
    };
  }

  /** @param meaning `[concepts]` what the words of a concept count as */
  run(trials: readonly Trial[], probed: readonly number[], meaning: readonly number[]): Outcome[] {
    const { taxonomy } = this.#world;
    return trials.flatMap(({ train, leaves, tests }) =>
      probed.flatMap((concept) => {
        if (taxonomy.leaves(concept).length < leaves) return [];
        const isA = (set: keyof ProbeWords, row: number): boolean =>
          taxonomy.isA(meaning[this.#words[set].concepts[row]], concept);
        const seen = this.#select('train', train, isA);
        if (!seen) return [];
        const probe = fitProbe(seen.x, this.#d, seen.labels, { c: C, classWeight: 'balanced', tolerance: 1e-5 });
        return tests.flatMap((test) => {
          const score = this.#test(test, concept, probe, isA);
          return score === undefined ? [] : [{ test: test.name, concept, auc: score }];
        });
      }),
    );
  }

  /** Mean over the groups that have both classes; undefined if none has. */
  #test(
    { words, groups }: ProbeTest,
    concept: number,
    probe: LinearProbe,
    isA: (set: keyof ProbeWords, row: number) => boolean,
  ): number | undefined {
    const scores = groups(concept).flatMap((rows) => {
      const shown = this.#select(words, rows, isA);
      return shown ? [auc(probeLogits(probe, shown.x), shown.labels)] : [];
    });
    return scores.length > 0 ? mean(scores) : undefined;
  }

  /** The first rows of both classes; undefined if a class has too few. */
  #select(
    set: keyof ProbeWords,
    rows: readonly number[],
    isA: (set: keyof ProbeWords, row: number) => boolean,
  ): { x: Float32Array; labels: Uint8Array } | undefined {
    const no: number[] = [];
    const yes: number[] = [];
    for (const row of rows) {
      const side = isA(set, row) ? yes : no;
      if (side.length < this.#examples) side.push(row);
    }
    if (no.length < LEAST || yes.length < LEAST) return undefined;
    const chosen = [...no, ...yes];
    const x = new Float32Array(chosen.length * this.#d);
    for (const [i, row] of chosen.entries()) {
      x.set(this.#activations[set].subarray(row * this.#d, (row + 1) * this.#d), i * this.#d);
    }
    return { x, labels: Uint8Array.from(chosen, (_, i) => (i < no.length ? 0 : 1)) };
  }
}

/** Subtracts the mean and divides by the standard deviation of every column of `x`. */
function scaleOf(x: Float32Array, d: number): (values: Float32Array) => Float32Array {
  const means = new Float64Array(d);
  const squares = new Float64Array(d);
  const rows = x.length / d;
  for (let i = 0; i < x.length; i++) means[i % d] += x[i] / rows;
  for (let i = 0; i < x.length; i++) squares[i % d] += (x[i] - means[i % d]) ** 2 / rows;
  return (values) => values.map((value, i) => (value - means[i % d]) / Math.sqrt(squares[i % d] || 1));
}

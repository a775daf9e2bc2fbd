/** Whether the links of a forest of latents say what the true forest says, beside the same forest with its latents dealt anew. */
import { Random } from '../../core/random.ts';
import { Forest } from '../../forest/forest.ts';
import { shuffledForest } from '../../forest/null.ts';
import { ancestorPairs, judgedLinks, type IsTrueLink } from '../../forest/recovery.ts';
import { restrict } from '../live-latents.ts';
import { besideNull, dot, insufficient, type Bootstrap, type Metric, type Metrics } from '../metric.ts';
import { depthError, type NodePairs } from './common-ancestors.ts';
import { LEAST } from './features.ts';

/** Random forests that stand beside the judged one. */
const DRAWS = 100;

/** A forest of latents and what these stand for; latents are nodes 0 … n − 1. */
export interface NamedForest {
  readonly forest: Forest;
  /** For definitions: where it comes from. */
  readonly how: string;
  /** `[nodes]` feature that each was found to stand for, −1 for none. */
  readonly match: Int32Array;
  /** `[nodes]` feature that each tells best, however badly; −1 for those that fired with none. */
  readonly best: Int32Array;
}

export interface LinkTruth {
  readonly truth: Forest;
  /** `[features]` 1 for those that occur often enough: true links between others do not count. */
  readonly occurs: Uint8Array;
  /** For definitions: how a latent is found to stand for a feature. */
  readonly found: string;
  readonly bootstrap: Bootstrap;
  readonly seed: number;
}

/** Numbers of features' links; in the last place those of latents that fired with no feature. */
type Counts = Float64Array;

interface LinkCounts {
  readonly predicted: Counts;
  /** With two matched ends. */
  readonly matched: Counts;
  readonly correct: Counts;
  /** Distinct true links that were recovered. */
  readonly hit: Counts;
}

interface ForestCounts {
  readonly edge: LinkCounts;
  readonly ancestor: LinkCounts;
  /** Links whose ends stand for different features, and those of them with the parent's above the child's. */
  readonly telling: Counts;
  readonly right: Counts;
  /** Links whose ends tell some feature best, and those of them with the child's below the parent's. */
  readonly named: Counts;
  readonly refined: Counts;
}

export function linkMetrics(learned: NamedForest, context: LinkTruth): Metrics {
  const { truth, occurs, bootstrap, seed, found } = context;
  const counts = countForest(learned, truth);
  const trueEdges = withConstant(truth.parent, (parent, j) => (parent !== -1 && occurs[j] ? 1 : 0));
  const trueAncestors = withConstant(truth.depth, (depth, j) => (occurs[j] ? depth : 0));
  const draws = [...shuffles(learned, seed)];
  const shuffledCounts = draws.map((forest) => countForest({ ...learned, forest }, truth));

  const share = (
    of: (counts: ForestCounts) => { above: Counts; below: Counts },
    unit: string,
    definition: string,
  ): Metric => {
    const { above, below } = of(counts);
    return judged(
      sum(below),
      unit,
      definition,
      (weights) => weigh(weights, above) / weigh(weights, below),
      () => shuffledCounts.map(of).map(({ above, below }) => sum(above) / sum(below)),
    );
  };
  const judged = (
    n: number,
    unit: string,
    formula: string,
    statistic: (weights: Float64Array) => number,
    shuffledValues: () => number[],
  ): Metric => {
    const meaning = { unit, definition: `${formula}; in ${learned.how}; ${found}` };
    if (n < LEAST) return insufficient(`there are ${n} such links, at least ${LEAST} are needed`, { n, ...meaning });
    const measured = bootstrap.of(statistic, { n, ...meaning });
    return besideNull(measured, 'shuffled', Float64Array.from(shuffledValues()), SHUFFLED);
  };
  const links = (name: 'edge' | 'ancestor', trueLinks: Counts): Metrics => {
    const what = name === 'edge' ? '(parent, child) links' : '(ancestor, descendant) pairs';
    const isTrue = name === 'edge' ? 'the true parent of' : 'above';
    const correct = `correct = the feature of the upper latent is ${isTrue} that of the lower`;
    const f1 = (of: 'predicted' | 'matched', weights: (counts: Counts) => number, counts: ForestCounts): number => {
      const { correct, hit, [of]: all } = counts[name];
      const [precision, recall] = [weights(correct) / weights(all), weights(hit) / weights(trueLinks)];
      return precision + recall > 0 ? (2 * precision * recall) / (precision + recall) : 0;
    };
    const f1Metric = (of: 'predicted' | 'matched', definition: string): Metric =>
      judged(
        sum(trueLinks),
        'F1',
        definition,
        (weights) => f1(of, (values) => weigh(weights, values), counts),
        () => shuffledCounts.map((shuffled) => f1(of, sum, shuffled)),
      );
    const strict = `correct learned ${what} / learned ${what}, those with an end that stands for no feature among them; ${correct}`;
    const lenient = `correct learned ${what} / learned ${what} whose ends both stand for features; ${correct}`;
    const recall = `distinct true ${what} that were learned / true ${what} between features that occur; ${correct}`;
    return {
      [`${name}_precision`]: share(
        ({ [name]: { correct, predicted } }) => ({ above: correct, below: predicted }),
        'share of learned links',
        strict,
      ),
      [`${name}_recall`]: share(
        ({ [name]: { hit } }) => ({ above: hit, below: trueLinks }),
        'share of true links',
        recall,
      ),
      [`${name}_f1`]: f1Metric('predicted', `harmonic mean of ${name}_precision and ${name}_recall`),
      [`${name}_precision_matched`]: share(
        ({ [name]: { correct, matched } }) => ({ above: correct, below: matched }),
        'share of learned links',
        lenient,
      ),
      [`${name}_f1_matched`]: f1Metric('matched', `harmonic mean of ${name}_precision_matched and ${name}_recall`),
    };
  };
  return {
    ...links('edge', trueEdges),
    ...links('ancestor', trueAncestors),
    links_right: share(
      ({ right, telling }) => ({ above: right, below: telling }),
      'share of links',
      'links whose parent stands for a feature above the child’s, directly or further up / links whose ends stand for different features',
    ),
    refinement: share(
      ({ refined, named }) => ({ above: refined, below: named }),
      'share of links',
      'links whose child’s best feature is below the parent’s best feature in the true forest / links whose ends both have one; best = ' +
        'largest F1 of firing, however small, on the first half of the rows',
    ),
    lca_depth_error: ancestorMetric(learned, draws, context),
  };
}

const SHUFFLED =
  `the same with the latents of every level dealt anew at random among the places of the forest (parents permuted within level; latents ` +
  `without any link stay out of it), ${DRAWS} draws`;

/** Only latents with links change places: dealing roots without children in would make chance look worse than it is. */
function* shuffles({ forest }: NamedForest, seed: number): Generator<Forest> {
  const linked = Array.from(forest.parent.keys()).filter(
    (node) => forest.parent[node] !== -1 || forest.children(node).length > 0,
  );
  const among = restrict(forest.parent, linked);
  for (let draw = 0; draw < DRAWS; draw++) {
    const { parent } = shuffledForest(among, new Random(seed, 'evals', 'truth', 'shuffled', draw));
    const parents = new Int32Array(forest.size).fill(-1);
    parent.forEach((above, i) => (parents[linked[i]] = above === -1 ? -1 : linked[above]));
    yield new Forest(parents);
  }
}

function countForest(
  { forest, match, best }: Pick<NamedForest, 'forest' | 'match' | 'best'>,
  truth: Forest,
): ForestCounts {
  const features = truth.size;
  const isTrueEdge: IsTrueLink = (p, c) => truth.parent[c] === p;
  const isAbove: IsTrueLink = (p, c) => truth.isAncestor(p, c);
  const newCounts = (): Counts => new Float64Array(features + 1);
  const unitOf = (node: number): number =>
    match[node] !== -1 ? match[node] : best[node] !== -1 ? best[node] : features;
  const countLinks = (links: Iterable<readonly [number, number]>, isTrue: IsTrueLink): LinkCounts => {
    const counts = { predicted: newCounts(), matched: newCounts(), correct: newCounts(), hit: newCounts() };
    for (const { below, isMatched, isCorrect, isFirst } of judgedLinks(links, match, isTrue, features)) {
      const unit = unitOf(below);
      counts.predicted[unit]++;
      if (isMatched) counts.matched[unit]++;
      if (isCorrect) counts.correct[unit]++;
      if (isFirst) counts.hit[unit]++;
    }
    return counts;
  };
  const counts = {
    edge: countLinks(forest.edges(), isTrueEdge),
    ancestor: countLinks(ancestorPairs(forest), isAbove),
    telling: newCounts(),
    right: newCounts(),
    named: newCounts(),
    refined: newCounts(),
  };
  for (const { above, below, isMatched, isCorrect } of judgedLinks(forest.edges(), match, isAbove, features)) {
    if (!isMatched || match[above] === match[below]) continue;
    counts.telling[match[below]]++;
    if (isCorrect) counts.right[match[below]]++;
  }
  for (const { below, isMatched, isCorrect } of judgedLinks(forest.edges(), best, isAbove, features)) {
    if (!isMatched) continue;
    counts.named[best[below]]++;
    if (isCorrect) counts.refined[best[below]]++;
  }
  return counts;
}

function ancestorMetric(
  { forest, match, how }: NamedForest,
  draws: readonly Forest[],
  { truth, bootstrap, seed, found }: LinkTruth,
): Metric {
  const random = new Random(seed, 'evals', 'truth', 'pairs');
  const errors = depthError(forest, match, truth, random);
  const meaning = {
    n: errors.error.length,
    unit: 'levels',
    definition:
      'mean over pairs of latents of |depth of their lowest common ancestor in the learned forest − that of their features in the true one|, ' +
      'roots at depth 0, no common ancestor at −1, pairs without one in both forests left out (a latent above another is their common ' +
      `ancestor); in ${how}; ${found}`,
  };
  if (errors.error.length < LEAST) {
    return insufficient(`there are ${errors.error.length} such pairs, at least ${LEAST} are needed`, meaning);
  }
  const measured = bootstrap.of((weights) => weightedMean(errors, weights), meaning);
  const shuffled = draws.map((draw) => {
    const same = new Random(seed, 'evals', 'truth', 'pairs');
    const { error } = depthError(draw, match, truth, same);
    return error.reduce((all, one) => all + one, 0) / error.length;
  });
  return besideNull(measured, 'shuffled', Float64Array.from(shuffled), SHUFFLED);
}

/** A pair is drawn as often as both its features are. */
function weightedMean({ first, second, error }: NodePairs, weights: Float64Array): number {
  let [above, below] = [0, 0];
  for (let i = 0; i < error.length; i++) {
    const weight = weights[first[i]] * weights[second[i]];
    above += weight * error[i];
    below += weight;
  }
  return above / below;
}

function withConstant(values: Int32Array, count: (value: number, feature: number) => number): Counts {
  const counts = new Float64Array(values.length + 1);
  values.forEach((value, feature) => (counts[feature] = count(value, feature)));
  return counts;
}

/** The last place belongs to no feature and is in every resample once. */
const weigh = (weights: Float64Array, counts: Counts): number => dot(weights, counts) + counts[weights.length];
const sum = (counts: Counts): number => counts.reduce((all, count) => all + count, 0);

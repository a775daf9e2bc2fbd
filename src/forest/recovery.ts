/** How much of a true forest a recovered one holds. */
import type { Forest } from './forest.ts';

/** Recovered links against true ones. Precision, recall and F1 are 0 where their denominator is 0. */
export interface LinkScore {
  /** Links of the recovered forest that are scored, and how many of them are true. */
  readonly predicted: number;
  readonly predictedCorrect: number;
  /** Links of the true forest that are scored, and how many DISTINCT ones of them were hit. */
  readonly true: number;
  readonly trueRecovered: number;
  /** predictedCorrect / predicted. */
  readonly precision: number;
  /** trueRecovered / true. */
  readonly recall: number;
  readonly f1: number;
}

/**
 * A link (p, c) between latents is correct when the feature of p is above the feature of c in the true forest. The scores
 * differ in the links they look at:
 */
export interface ForestRecovery {
  /** Parent–child links; all recovered ones count, a link with an unmatched end is wrong. */
  readonly edge: LinkScore;
  /** Parent–child links; recovered ones with an unmatched end are left out, all true ones count. */
  readonly edgeMatchedOnly: LinkScore;
  /** Parent–child links; recovered and true ones with an unmatched end are left out: the tree among what was found. */
  readonly edgeAmongMatched: LinkScore;
  /** As `edge`, for all (ancestor, descendant) pairs; the closure is taken among latents first, then mapped. */
  readonly ancestor: LinkScore;
  /** As `edgeMatchedOnly`, for all (ancestor, descendant) pairs. */
  readonly ancestorMatchedOnly: LinkScore;
  /** What the wrong recovered edges with two matched ends are. */
  readonly wrongEdges: {
    /** The child's feature is the true parent of the parent's. */
    readonly reversed: number;
    /** The parent's feature is a true ancestor further up. */
    readonly skipsLevel: number;
    /** Both features have the same true parent. */
    readonly siblings: number;
    readonly other: number;
  };
  /** Mean over matched latents of |depth − true depth|; NaN when none is matched. */
  readonly depthError: number;
  /** Share of matched latents that are roots exactly when their features are; NaN when none is matched. */
  readonly rootAccuracy: number;
}

/**
 * @param truth forest over features
 * @param recovered forest over latents
 * @param match `[latents]` feature of each latent, −1 for none; several latents may share a feature
 */
export function forestRecovery(truth: Forest, recovered: Forest, match: Int32Array): ForestRecovery {
  if (match.length !== recovered.size) {
    throw new RangeError(`${match.length} matches for a forest of ${recovered.size} latents`);
  }
  const isTrueEdge: IsTrueLink = (p, c) => truth.parent[c] === p;
  const isTrueAncestor: IsTrueLink = (p, c) => truth.isAncestor(p, c);
  const edges = countLinks(recovered.edges(), match, isTrueEdge, truth.size);
  const pairs = countLinks(ancestorPairs(recovered), match, isTrueAncestor, truth.size);
  const found = new Set(match);
  const trueEdges = [...truth.edges()];
  const trueAmong = trueEdges.filter(([p, c]) => found.has(p) && found.has(c)).length;
  const truePairs = truth.depth.reduce((sum, depth) => sum + depth, 0);
  return {
    edge: score(edges, edges.all, trueEdges.length),
    edgeMatchedOnly: score(edges, edges.matched, trueEdges.length),
    edgeAmongMatched: score(edges, edges.matched, trueAmong),
    ancestor: score(pairs, pairs.all, truePairs),
    ancestorMatchedOnly: score(pairs, pairs.matched, truePairs),
    wrongEdges: classifyWrongEdges(truth, recovered, match),
    ...placement(truth, recovered, match),
  };
}

/** All `[ancestor, descendant]`. */
export function* ancestorPairs(forest: Forest): Generator<[number, number]> {
  for (let c = 0; c < forest.size; c++) for (const a of forest.ancestors(c)) yield [a, c];
}

interface LinkCounts {
  all: number;
  /** Links with two matched ends. */
  matched: number;
  correct: number;
  /** Distinct true links that were hit. */
  hit: number;
}

function countLinks(
  links: Iterable<readonly [number, number]>,
  match: Int32Array,
  isTrue: IsTrueLink,
  features: number,
): LinkCounts {
  const counts = { all: 0, matched: 0, correct: 0, hit: 0 };
  for (const { isMatched, isCorrect, isFirst } of judgedLinks(links, match, isTrue, features)) {
    counts.all++;
    if (isMatched) counts.matched++;
    if (isCorrect) counts.correct++;
    if (isFirst) counts.hit++;
  }
  return counts;
}

export type IsTrueLink = (above: number, below: number) => boolean;

/** A recovered link and what the truth says of it. */
export interface JudgedLink {
  readonly above: number;
  readonly below: number;
  /** Both ends stand for features. */
  readonly isMatched: boolean;
  readonly isCorrect: boolean;
  /** The first recovered link for its true one. */
  readonly isFirst: boolean;
}

/**
 * @param links between latents; @param match `[latents]` feature of each latent, −1 for none
 * @param isTrue of two features; @param features how many there are
 */
export function* judgedLinks(
  links: Iterable<readonly [above: number, below: number]>,
  match: Int32Array,
  isTrue: IsTrueLink,
  features: number,
): Generator<JudgedLink> {
  const hit = new Set<number>();
  for (const [above, below] of links) {
    const [p, c] = [match[above], match[below]];
    const isMatched = p !== -1 && c !== -1;
    const isCorrect = isMatched && isTrue(p, c);
    const isFirst = isCorrect && !hit.has(p * features + c);
    if (isFirst) hit.add(p * features + c);
    yield { above, below, isMatched, isCorrect, isFirst };
  }
}

function score(counts: LinkCounts, predicted: number, trueLinks: number): LinkScore {
  const precision = predicted === 0 ? 0 : counts.correct / predicted;
  const recall = trueLinks === 0 ? 0 : counts.hit / trueLinks;
  const f1 = precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall);
  return {
    predicted,
    predictedCorrect: counts.correct,
    true: trueLinks,
    trueRecovered: counts.hit,
    precision,
    recall,
    f1,
  };
}

function classifyWrongEdges(truth: Forest, recovered: Forest, match: Int32Array): ForestRecovery['wrongEdges'] {
  const kinds = { reversed: 0, skipsLevel: 0, siblings: 0, other: 0 };
  for (const [above, below] of recovered.edges()) {
    const [p, c] = [match[above], match[below]];
    if (p === -1 || c === -1 || truth.parent[c] === p) continue;
    if (truth.parent[p] === c) kinds.reversed++;
    else if (truth.isAncestor(p, c)) kinds.skipsLevel++;
    else if (p !== c && truth.parent[p] !== -1 && truth.parent[p] === truth.parent[c]) kinds.siblings++;
    else kinds.other++;
  }
  return kinds;
}

function placement(
  truth: Forest,
  recovered: Forest,
  match: Int32Array,
): Pick<ForestRecovery, 'depthError' | 'rootAccuracy'> {
  let matched = 0;
  let depthError = 0;
  let agreeing = 0;
  match.forEach((feature, latent) => {
    if (feature === -1) return;
    matched++;
    depthError += Math.abs(recovered.depth[latent] - truth.depth[feature]);
    if ((recovered.parent[latent] === -1) === (truth.parent[feature] === -1)) agreeing++;
  });
  return { depthError: depthError / matched, rootAccuracy: agreeing / matched };
}

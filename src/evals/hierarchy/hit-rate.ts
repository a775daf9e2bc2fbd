/** The share of pairs that are hits by Tree SAE's rule: of those that the forest links, and of those that fire together most. */
import { normalizeRows } from '../../core/rows.ts';
import { Random } from '../../core/random.ts';
import type { Families } from '../../forest/families.ts';
import type { Firings } from '../../forest/firings.ts';
import { Forest } from '../../forest/forest.ts';
import { FrequencyMatched, NEAREST_FREQUENCIES, nodesByLevel, SAME_FREQUENCY } from '../../forest/null.ts';
import type { HeldOutRows } from '../held-out-rows.ts';
import { besideNull, type Metric, type Metrics } from '../metric.ts';
import { isHit, largestRowNorm, similarities, TOP, topLatents } from './hit-rule.ts';
import { linkedPairs, MAX_CHILDREN, MAX_PAIRS, MIN_FIRINGS, MOST_SIMILAR, similarPairs } from './hit-pairs.ts';
import { eachPair, overFamilies, ratioOf } from './over-families.ts';
import { NEGATIVES, POSITIVES, probeDirections } from './probe-directions.ts';

/** Pairs that a share needs. */
const MIN_PAIRS = 10;
/** Random parents for every pair, of each null. */
const DRAWS = 100;

const SHUFFLED = 'the same with every parent replaced by a random latent of its level; children and their probes stay';
const MATCHED =
  `the same with every parent replaced by a random latent of its level whose firing frequency is within a factor of ${SAME_FREQUENCY}, ` +
  `or among the ${NEAREST_FREQUENCIES} nearest; children and their probes stay`;

const SAMPLE =
  `parents at random from the more frequent half of the latents, at most ${MAX_CHILDREN} children each that are active on at least ` +
  `${MIN_FIRINGS} held-out rows, at most ${MAX_PAIRS} pairs`;
const PROBE =
  `the probe being logistic regression of the child’s activity on the model’s activations (classes of equal weight, C = 1, at most ` +
  `${POSITIVES} active and ${NEGATIVES} other rows)`;
const RULE =
  `parent and child are both among the ${TOP} latents of the largest W_dec · probe / ‖probe‖ (Tree SAE: rows are not normalised one by ` +
  `one), ${PROBE}`;

export interface HitContext {
  readonly firings: Firings;
  readonly held: HeldOutRows;
  /** `[F, d]` */
  readonly dictionary: Float32Array;
  readonly forest: Forest;
  /** For definitions: which forest. */
  readonly how: string;
  readonly seed: number;
  readonly onProgress: (done: number, total: number) => void;
}

export async function hitRates({
  firings,
  held,
  dictionary,
  forest,
  how,
  seed,
  ...rest
}: HitContext): Promise<Metrics> {
  const linked = linkedPairs(forest, firings, new Random(seed, 'hierarchy', 'linked pairs'));
  const similar = similarPairs(firings, new Random(seed, 'hierarchy', 'similar pairs'));
  const children = [...new Set([...linked.child, ...similar.child])].filter((c) => firings.countOf(c) < firings.rows);
  const directions = await probeDirections(children, firings, held, seed, rest.onProgress);
  const aligned = alignments(directions, dictionary, held.d);
  const flat = new Forest(new Int32Array(firings.width).fill(-1));
  const rate = (pairs: Families, among: Forest, top: TopOf, which: string, rule: string): Metric =>
    hitRate(pairs, among, top, { firings, seed, definition: `share of ${which} that are hits: ${rule}; ${SAMPLE}` });
  const links = `the links of ${how}`;
  const most =
    `pairs of the largest binary MCS √P(p | c), of the ${MOST_SIMILAR} children with the largest of each parent (Tree SAE’s score of ` +
    'dictionaries without a tree)';
  const { numerator, denominator } = eachPair(linked, (p, c) => aligned.residual(p, c));
  const normalised = RULE.replace('W_dec ·', 'd_i / ‖d_i‖ ·').replace(
    ' (Tree SAE: rows are not normalised one by one)',
    '',
  );
  return {
    tree_hit_rate: rate(linked, forest, aligned.top, links, RULE),
    tree_hit_rate_cosine: rate(linked, forest, aligned.topByCosine, links, normalised),
    tree_hit_rate_mcs: rate(similar, flat, aligned.top, most, RULE),
    residual_alignment: overFamilies(
      { numerator, denominator },
      'pairs',
      {
        unit: 'mean over pairs',
        definition:
          `mean over ${links} of S_res = min(⟨d*_c, d_c⟩, ⟨d*_c, d_p⟩) / largest row norm (Tree SAE, equation 5), d*_c the unit direction of ` +
          `a probe for the child, ${PROBE}; ${SAMPLE}`,
      },
      seed,
    ),
  };
}

type TopOf = ReadonlyMap<number, readonly number[]>;

interface Alignments {
  /** By child: the latents nearest to its probe. */
  readonly top: TopOf;
  readonly topByCosine: TopOf;
  /** S_res; NaN for children without a probe. */
  residual(parent: number, child: number): number;
}

function alignments(directions: ReadonlyMap<number, Float64Array>, dictionary: Float32Array, d: number): Alignments {
  const units = dictionary.slice();
  normalizeRows(units, d);
  const top = new Map<number, number[]>();
  const topByCosine = new Map<number, number[]>();
  const largest = largestRowNorm(dictionary, d);
  for (const [child, direction] of directions) {
    top.set(child, topLatents(similarities(dictionary, direction)));
    topByCosine.set(child, topLatents(similarities(units, direction)));
  }
  const along = (latent: number, direction: Float64Array): number =>
    similarities(dictionary.subarray(latent * d, (latent + 1) * d), direction)[0] / largest;
  const residual = (parent: number, child: number): number => {
    const direction = directions.get(child);
    return direction ? Math.min(along(child, direction), along(parent, direction)) : NaN;
  };
  return { top, topByCosine, residual };
}

function hitRate(
  pairs: Families,
  forest: Forest,
  top: TopOf,
  { firings, seed, definition }: { firings: Firings; seed: number; definition: string },
): Metric {
  const hits = (parentOf: (parent: number, child: number) => number): ReturnType<typeof eachPair> =>
    eachPair(pairs, (p, c) => {
      const best = top.get(c);
      return best ? Number(isHit(best, parentOf(p, c), c)) : NaN;
    });
  const measured = overFamilies(
    hits((p) => p),
    'pairs',
    { unit: 'share of pairs', definition },
    seed,
    MIN_PAIRS,
  );
  if (measured.value === null) return measured;
  const matched = new FrequencyMatched(
    forest,
    Float64Array.from({ length: firings.width }, (_, i) => firings.countOf(i)),
  );
  const level = nodesByLevel(forest);
  const draws = (name: string, draw: (parent: number, child: number, random: Random) => number): Float64Array =>
    Float64Array.from({ length: DRAWS }, (_, i) => {
      const random = new Random(seed, 'hierarchy', 'hits', name, i);
      return ratioOf(hits((p, c) => draw(p, c, random)));
    });
  const anyOf = (p: number, c: number, random: Random): number => {
    const nodes = level.get(forest.level[p])!;
    for (;;) {
      const drawn = nodes[random.below(nodes.length)];
      if (drawn !== c || nodes.length === 1) return drawn;
    }
  };
  return besideNull(
    besideNull(measured, 'shuffled', draws('shuffled', anyOf), SHUFFLED),
    'frequency_matched',
    draws('frequency matched', (p, c, random) => matched.draw(p, random, [c])),
    MATCHED,
  );
}

/**
 * A forest for SAEs that have none built in, from which latents fire together and, where asked, from what they write:
 * possible parents (candidates.ts), filters and the choice of one parent (dag.ts).
 */
import { candidateParents, MEASURES, type Candidates, type Measure } from './candidates.ts';
import { forestOfCandidates, parentsInAnother, type ChosenParents, type DroppedEdges } from './dag.ts';
import type { Firings } from './firings.ts';

/**
 * The measures of candidates.ts, and `cosine-coverage`: parents that cover the child, the choice among them by the cosine of
 * the decoder rows, which has to exceed {@link chanceCosine}.
 */
export const METHODS = [...MEASURES, 'cosine-coverage'] as const;
export type Method = (typeof METHODS)[number];

/** τ as published: 0.9, for the cosine 0.8. */
export const DEFAULT_THRESHOLD: Readonly<Record<Method, number>> = {
  coverage: 0.9,
  'weighted-coverage': 0.9,
  'masked-cosine': 0.8,
  'cosine-coverage': 0.9,
};

/** Published floor of densities: 40 firings in a million rows. */
const DENSITY_FLOOR = 40 / 1e6;
/** Published least number of firings for a statistic. */
const MIN_SAMPLES = 10;
/** A parent of more than this share of the width says nothing about its children … */
const HUB_SHARE = 0.05;
/** … but in a narrow dictionary a handful of children makes no hub. */
const HUB_FLOOR = 8;

/**
 * Fewest firings of a latent in a sample: the published density, but in small samples never fewer than 10, because one joint
 * firing more or less would then decide.
 */
export const firingsFloor = (rows: number): number => Math.max(MIN_SAMPLES, Math.ceil(DENSITY_FLOOR * rows));

/** Twice the standard deviation of the cosine of two random directions. */
export const chanceCosine = (d: number): number => 2 / Math.sqrt(d);

export interface ExtractionOptions {
  readonly method: Method;
  /** τ; as published by default. */
  readonly threshold?: number;
  /** Fewest firings of a latent; {@link firingsFloor} of the sample by default. */
  readonly minFirings?: number;
  /** Trees with fewer descendants are dissolved; 1 keeps all (published: 5). */
  readonly minDescendants?: number;
}

/** Decoder rows `[width, d]` of the children and of their parents, the same array within one SAE; for `cosine-coverage`. */
export interface Directions {
  readonly d: number;
  readonly children: Float32Array;
  readonly parents: Float32Array;
}

export interface Extraction extends ChosenParents {
  readonly method: Method;
  readonly threshold: number;
  readonly minFirings: number;
  /** Children that never fired, and those that did but in fewer than `minFirings` rows. */
  readonly silent: number;
  readonly rare: number;
  /** Edges before the filters. */
  readonly possibleEdges: number;
  /** Most children that a latent may have. */
  readonly maxChildren: number;
  readonly dropped: DroppedEdges;
}

/** The forest among the latents of one SAE: `new Forest(parent)`. */
export function extractForest(firings: Firings, options: ExtractionOptions, directions?: Directions): Extraction {
  const { minDescendants = 1 } = options;
  return extract(firings, firings, options, directions, (candidates, maxChildren) =>
    forestOfCandidates(candidates, { frequency: frequencies(firings), maxChildren, minDescendants }),
  );
}

/** The parents that latents of one SAE have among those of another, from what both made of the same rows. */
export function extractParents(
  children: Firings,
  parents: Firings,
  options: ExtractionOptions,
  directions?: Directions,
): Extraction {
  return extract(children, parents, options, directions, parentsInAnother);
}

function extract(
  children: Firings,
  parents: Firings,
  { method, threshold = DEFAULT_THRESHOLD[method], minFirings = firingsFloor(children.rows) }: ExtractionOptions,
  directions: Directions | undefined,
  choose: (candidates: Candidates, maxChildren: number) => ChosenParents,
): Extraction {
  const measure: Measure = method === 'cosine-coverage' ? 'coverage' : method;
  if (method === 'cosine-coverage' && !directions) throw new TypeError('cosine-coverage needs decoder rows');
  const score = method === 'cosine-coverage' ? aboveChance(directions!) : undefined;
  const candidates = candidateParents(children, parents, { measure, threshold, minFirings, ...(score && { score }) });
  const maxChildren = Math.max(HUB_FLOOR, Math.floor(HUB_SHARE * children.width));
  const fired = frequencies(children);
  const silent = fired.filter((count) => count === 0).length;
  return {
    ...choose(candidates, maxChildren),
    method,
    threshold,
    minFirings,
    silent,
    rare: fired.filter((count) => count < minFirings).length - silent,
    possibleEdges: candidates.parent.length,
    maxChildren,
  };
}

const frequencies = (firings: Firings): Float64Array =>
  Float64Array.from({ length: firings.width }, (_, i) => firings.countOf(i));

/** Cosine of two decoder rows, −Infinity where chance could have made it. */
function aboveChance({ d, children, parents }: Directions): (parent: number, child: number) => number {
  const least = chanceCosine(d);
  return (parent, child) => {
    let [dot, squareP, squareC] = [0, 0, 0];
    for (let k = 0; k < d; k++) {
      const [p, c] = [parents[parent * d + k], children[child * d + k]];
      dot += p * c;
      squareP += p * p;
      squareC += c * c;
    }
    const cosine = dot / Math.sqrt(squareP * squareC);
    return cosine > least ? cosine : -Infinity;
  };
}

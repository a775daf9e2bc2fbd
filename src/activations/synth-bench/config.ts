/** The parameters of a synthetic benchmark. Defaults are SynthSAEBench-16k (Chanin and Garriga-Alonso 2026, arXiv 2602.14687). */
import { z } from 'zod';

/** Directions take 4 bytes each, three times as much while they are made. */
const MAX_ELEMENTS = 2 ** 27;

const whole = (least: number): z.ZodInt => z.int().min(least);
const share = z.number().min(0).max(1);

export const synthBenchSchema = z
  .strictObject({
    features: whole(1).default(16_384).describe('number of features, the most frequent first'),
    d: whole(1).default(768).describe('width of an activation'),
    roots: whole(0).default(128).describe('number of trees; features outside them are free'),
    branching: whole(1).default(4).describe('children of every inner feature'),
    depth: whole(0).default(3).describe('edges from a root to its leaves'),
    exclusive: z.boolean().default(true).describe('at most one child of a feature at a time'),
    compensate: z
      .boolean()
      .default(true)
      .describe('children fire more often, to make up for silent parents and siblings'),
    scaleChildren: z
      .boolean()
      .default(true)
      .describe('a child is multiplied by its parent over the mean of its parent'),
    maxProbability: share.default(0.4).describe('base firing probability of feature 0'),
    minProbability: share.default(5e-4).describe('base firing probability of the last feature'),
    exponent: z.number().positive().default(0.5).describe('of the power law between the two'),
    firstMean: z.number().positive().default(5).describe('mean magnitude of feature 0; linear in between'),
    lastMean: z.number().positive().default(4).describe('mean magnitude of the last feature'),
    spreadMean: z
      .number()
      .min(0)
      .default(0.5)
      .describe('standard deviations of magnitudes are |N(spreadMean, spreadSpread)|'),
    spreadSpread: z.number().min(0).default(0.5).describe('see spreadMean'),
    correlationRank: whole(0).max(4096).default(25).describe('shared factors that make features fire together'),
    correlationScale: z.number().min(0).default(0.1).describe('standard deviation of the weights of these factors'),
    orthogonalizeSteps: whole(0).default(100).describe('steps of Adam that drive directions apart'),
    orthogonalizeRate: z.number().positive().default(3e-4).describe('learning rate of these steps'),
    biasNorm: z.number().min(0).default(0.5).describe('norm of the vector added to every activation'),
    heldOutRows: whole(0).default(100_000).describe('rows kept for validation'),
  })
  .refine((c) => c.minProbability <= c.maxProbability, {
    path: ['minProbability'],
    error: 'more than maxProbability; frequencies fall from feature 0 on',
  })
  .refine((c) => treeFeatures(c) <= c.features, {
    path: ['features'],
    error: ({ input }) => {
      const c = input as Trees & { features: number };
      return `${c.roots} trees of branching ${c.branching} and depth ${c.depth} need ${treeFeatures(c)} features, there are ${c.features}`;
    },
  })
  .refine((c) => c.features * c.d <= MAX_ELEMENTS, {
    path: ['features'],
    error: `directions of more than ${MAX_ELEMENTS} elements`,
  });
export type SynthBenchConfig = z.output<typeof synthBenchSchema>;

interface Trees {
  readonly roots: number;
  readonly branching: number;
  readonly depth: number;
}

/** Features in the trees: roots · (1 + b + … + b^depth). */
export function treeFeatures({ roots, branching, depth }: Trees): number {
  let level = roots;
  let total = level;
  // A chain of one million is refused as well as told.
  for (let l = 0; l < depth && total <= MAX_ELEMENTS; l++) total += level *= branching;
  return total;
}

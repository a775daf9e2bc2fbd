/**
 * Matryoshka SAE — Bussmann, Nabeshima, Karvonen, Nanda, "Learning Multi-Level Features with Matryoshka Sparse Autoencoders"
 * (arXiv 2503.17547), as released in dictionary_learning's MatryoshkaBatchTopKTrainer (methods 9.6, verified there).
 *
 *   f = the k·B largest of ReLU(W_enc (x − b_dec) + b_enc) over the whole dictionary and batch, as in batchtopk
 *   x̂_g = Σ_{i < end_g} f_i W_dec,i + b_dec,  nested prefixes end_1 < … < end_G = F
 *   L = (1/G) Σ_g w_g ‖x − x̂_g‖² + α · aux        (aux of the full reconstruction: parts/aux-k.ts)
 *
 * sums over d, means over the batch. The released default is w_g = 1/G, so that its total is Σ_g / G²; the paper means over
 * groups. Options: `emptyPrefix` is Bussmann's own code, (1/(G+1)) (‖x − b_dec‖² + Σ_g w_g ‖x − x̂_g‖²) with w_g = 1;
 * `prefixes: random` draws the ends anew in every step like Nabeshima's code, with the mean over prefixes as the loss (his latents
 * are also sorted by size after every step and trained with an L1 penalty, which is not done here).
 */
import { z } from 'zod';
import { Random } from '../core/random.ts';
import type { Tensor } from '../engine/device.ts';
import { encodeBatchTop } from '../engine/ops/encode.ts';
import { decode } from '../engine/ops/decode.ts';
import { squaredError } from '../engine/ops/losses.ts';
import type { Scalar, Tape } from '../engine/tape.ts';
import { defineArchitecture, type BuildContext, type LossTerm } from './architecture.ts';
import { flatCost } from './parts/cost.ts';
import { fixedEnds, prefixName, prefixViews, randomEnds, wrongFractions } from './parts/prefixes.ts';
import { moreThanWidth, TopKFamily, topKFamilyKeys, type Selected } from './parts/top-k-family.ts';

const DEFAULT_FRACTIONS = [1 / 16, 1 / 16, 1 / 8, 1 / 4, 1 / 2];

const schema = z.strictObject({
  ...topKFamilyKeys,
  k: topKFamilyKeys.k.describe('mean number of active latents per token'),
  groupFractions: z
    .array(z.number().positive())
    .min(1)
    .default(DEFAULT_FRACTIONS)
    .describe('shares of the dictionary that each prefix adds to the one before'),
  groupWeights: z
    .array(z.number().min(0))
    .nullable()
    .default(null)
    .describe('weight of each prefix in the mean; null = 1 / groups, with emptyPrefix 1'),
  emptyPrefix: z.boolean().default(false).describe('count the reconstruction by b_dec alone as a prefix'),
  prefixes: z.enum(['fixed', 'random']).default('fixed').describe('random = drawn anew in every step, none in groups'),
  randomPrefixes: z.number().int().positive().default(10).describe('number of random prefixes'),
});

type Config = z.output<typeof schema>;

/** A prefix of the dictionary and its share in the loss. */
interface Prefix {
  name: string;
  end: number;
  weight: number;
}

class Matryoshka extends TopKFamily<Config> {
  readonly architecture = 'matryoshka';
  readonly #ends: readonly number[];

  constructor(config: Config, context: BuildContext) {
    const ends = fixedEnds(config.groupFractions, config.width);
    super(config, context, prefixViews(ends), { above: 0 });
    this.#ends = ends;
  }

  protected select(tape: Tape, x: Tensor, k: number, step: number): Selected {
    const codes = encodeBatchTop(tape, x, this.encoder, k * x.shape[0]);
    const losses: Record<string, LossTerm> = {};
    let [reconstruction, from]: [Tensor, number] = [this.encoder.center, 0];
    for (const { name, end, weight } of this.#prefixes(step)) {
      reconstruction = decode(tape, codes, this.W_dec, reconstruction, { range: { from, to: end } });
      losses[name] = { value: squaredError(tape, reconstruction, x), weight };
      from = end;
    }
    return { codes, reconstruction, losses };
  }

  /** Ascending; the last one is the whole dictionary. */
  #prefixes(step: number): Prefix[] {
    const { width, config } = this;
    const random = config.prefixes === 'random';
    const ends = random
      ? randomEnds(config.randomPrefixes, width, new Random(this.context.seed, 'prefixes', step))
      : this.#ends;
    const terms = ends.length + Number(config.emptyPrefix);
    const usual = random || config.emptyPrefix ? 1 : 1 / ends.length;
    const prefixes = ends.map((end, i) => ({
      name: end === width ? 'l2' : prefixName(i),
      end,
      weight: (config.groupWeights?.[i] ?? usual) / terms,
    }));
    return config.emptyPrefix ? [{ name: 'prefix-0', end: 0, weight: 1 / terms }, ...prefixes] : prefixes;
  }

  protected smallest(tape: Tape, ofRows: Tensor): Scalar {
    const smallest = tape.scalar();
    tape.device.kernels.leastPositive(smallest, ofRows);
    return smallest;
  }
}

function check(config: Config): string | undefined {
  const { width, groupFractions: fractions, groupWeights: weights, prefixes, randomPrefixes } = config;
  const wrong = moreThanWidth(config) ?? wrongFractions(fractions, width);
  if (wrong) return wrong;
  if (weights && prefixes === 'random') return 'groupWeights: random prefixes have no groups; leave the weights out';
  if (weights && weights.length !== fractions.length)
    return `groupWeights: ${weights.length} weights for ${fractions.length} groups of groupFractions`;
  if (prefixes === 'random' && randomPrefixes > width)
    return `randomPrefixes: ${randomPrefixes} different prefixes of width ${width}`;
  return undefined;
}

export const matryoshka = defineArchitecture({
  name: 'matryoshka',
  paper:
    'Bussmann, Nabeshima, Karvonen, Nanda 2025, Learning Multi-Level Features with Matryoshka SAEs, arXiv 2503.17547',
  summary: 'flat with nested prefixes, each of which reconstructs on its own; selection as in batchtopk',
  about: {
    idea:
      'Nested prefixes of one dictionary each have to reconstruct the input on their own. Early latents must therefore ' +
      'explain as much as possible by themselves and stay general; later ones add detail. This works against absorption and ' +
      'splitting without an explicit tree.',
    equations:
      'L = (1/G) Σ_g w_g ‖x − x̂_g‖² + α aux, x̂_g from the latents before end_g (section 3); selection as in batchtopk.',
    use:
      'Where general features have to survive in wide dictionaries, or one model should serve at several sizes (every prefix ' +
      'is a view). It reconstructs somewhat worse than batchtopk at equal L0, and gives no parents.',
  },
  hierarchical: false,
  views: prefixViews(fixedEnds(DEFAULT_FRACTIONS, 16384)).map(({ name }) => name),
  normalization: 'scalar',
  schema,
  check,
  cost: ({ width, k }, d) => flatCost(width, k, d),
  build: (config, context) => new Matryoshka(config, context),
});

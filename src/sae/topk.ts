/**
 * TopK SAE — Gao et al., "Scaling and evaluating sparse autoencoders" (arXiv 2406.04093), as released in
 * dictionary_learning's TopKTrainer (methods 9.2, all constants verified there).
 *
 *   f = TopK_k(ReLU(W_enc (x − b_dec) + b_enc)),   x̂ = W_decᵀ f + b_dec
 *   L = ‖x − x̂‖² + α · aux                                          (aux: parts/aux-k.ts)
 *
 * sums over d, means over the batch. Options: `multi` adds 1/8 of the loss with 4k instead of k latents (Gao et al., section 4.3;
 * the weight is from the paper, no code of theirs has it); `scaleEncoder` is the start of OpenAI's code (parts/encoder-scaling.ts).
 * Ours: the default warm-up is at most a tenth of the run; rows without a positive latent count as 0 in the mean that
 * the threshold follows.
 */
import { z } from 'zod';
import type { Codes, Tensor } from '../engine/device.ts';
import { encodeTop } from '../engine/ops/encode.ts';
import { decode } from '../engine/ops/decode.ts';
import { squaredError } from '../engine/ops/losses.ts';
import { topOfCodes } from '../engine/ops/top-of-codes.ts';
import type { Scalar, Tape } from '../engine/tape.ts';
import { defineArchitecture, type BuildContext, type LossTerm } from './architecture.ts';
import { flatCost } from './parts/cost.ts';
import { encoderScale } from './parts/encoder-scaling.ts';
import { moreThanWidth, TopKFamily, topKFamilyKeys, type Selected } from './parts/top-k-family.ts';

const schema = z.strictObject({
  ...topKFamilyKeys,
  inference: z.enum(['topk', 'threshold']).default('topk').describe('selection after training'),
  multi: z.boolean().default(false).describe('add 1/8 of the loss of the 4k largest latents (Multi-TopK)'),
  scaleEncoder: z
    .boolean()
    .default(false)
    .describe('scale the encoder at the start so that reconstructions of unit inputs have norm 1'),
});

type Config = z.output<typeof schema>;

/** Multi-TopK: L(k) + L(4k)/8. */
const MULTI = { factor: 4, weight: 1 / 8 } as const;

class TopK extends TopKFamily<Config> {
  readonly architecture = 'topk';

  constructor(config: Config, context: BuildContext) {
    const { d, seed } = context;
    const scale = config.scaleEncoder ? (W: Float32Array) => encoderScale(W, d, config.k, seed) : undefined;
    // A selected latent counts as fired even with value 0, as in the source.
    super(config, context, [{ name: 'full', from: 0, to: config.width }], {}, scale);
  }

  protected select(tape: Tape, x: Tensor, k: number): Selected {
    const { encoder, W_dec, config } = this;
    const more = config.multi ? encodeTop(tape, x, encoder, Math.min(this.width, MULTI.factor * k)) : undefined;
    const codes = more ? topOfCodes(tape, more, k) : encodeTop(tape, x, encoder, k);
    const reconstruction = decode(tape, codes, W_dec, encoder.center);
    const losses: Record<string, LossTerm> = { l2: { value: squaredError(tape, reconstruction, x), weight: 1 } };
    if (more) {
      const value = squaredError(tape, decode(tape, more, W_dec, encoder.center), x);
      losses.multi = { value, weight: MULTI.weight };
    }
    return { codes, reconstruction, losses };
  }

  /** The mean over the rows. */
  protected smallest(tape: Tape, ofRows: Tensor): Scalar {
    const mean = tape.scalar();
    tape.device.kernels.sum(mean, ofRows, 1 / ofRows.shape[0]);
    return mean;
  }

  override encode(tape: Tape, x: Tensor): Codes {
    return this.config.inference === 'topk' ? encodeTop(tape, x, this.encoder, this.config.k) : super.encode(tape, x);
  }
}

export const topk = defineArchitecture({
  name: 'topk',
  paper: 'Gao et al. 2024, Scaling and evaluating sparse autoencoders, arXiv 2406.04093',
  summary: 'flat; the k largest latents of each token are active',
  about: {
    idea:
      'Instead of penalising activity, keep exactly the k largest latents of every token. L0 is chosen, not tuned, and active ' +
      'latents are not shrunk as under an L1 penalty. Latents that have not fired for long learn from what the others leave over.',
    equations:
      'Section 2.3: z = TopK(W_enc (x − b_pre)), here with ReLU and a bias of the encoder as in dictionary_learning. Appendix A.2: ' +
      'L = ‖x − x̂‖² + α ‖e − ê‖²/‖e − ē‖², ê from the k_aux best dead latents, α = 1/32.',
    use:
      'The baseline: fast, one sparsity knob, hard to break. Not when tokens need very different numbers of latents (batchtopk), or ' +
      'when the relation between latents matters: nothing keeps a parent from being absorbed by its children.',
  },
  hierarchical: false,
  views: ['full'],
  normalization: 'scalar',
  schema,
  check: moreThanWidth,
  cost: ({ width, k }, d) => flatCost(width, k, d),
  build: (config, context) => new TopK(config, context),
});

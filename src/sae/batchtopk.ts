/**
 * BatchTopK SAE — Bussmann, Leask, Nanda, "BatchTopK Sparse Autoencoders" (arXiv 2412.06410), as released in
 * dictionary_learning's BatchTopKTrainer (methods 9.3, all constants verified there).
 *
 *   f = the k·B largest of ReLU(W_enc (x − b_dec) + b_enc) over all B tokens of the batch,   x̂ = W_decᵀ f + b_dec
 *   L = ‖x − x̂‖² + α · aux                                          (aux: parts/aux-k.ts)
 *
 * sums over d, means over the batch. A latent fires with a value > 0. Inference: every latent above a threshold that follows the
 * smallest positive activation of the batch (parts/threshold.ts), so that tokens do not depend on each other.
 * Bussmann's own code differs in constants (threshold decay 0.99, k_aux 512, dead after 20 batches).
 * Ours: the default warm-up is at most a tenth of the run; ties go to the first token and latent.
 */
import { z } from 'zod';
import type { Tensor } from '../engine/device.ts';
import { encodeBatchTop } from '../engine/ops/encode.ts';
import { decode } from '../engine/ops/decode.ts';
import { squaredError } from '../engine/ops/losses.ts';
import type { Scalar, Tape } from '../engine/tape.ts';
import { defineArchitecture, type BuildContext } from './architecture.ts';
import { flatCost } from './parts/cost.ts';
import { moreThanWidth, TopKFamily, topKFamilyKeys, type Selected } from './parts/top-k-family.ts';

const schema = z.strictObject({
  ...topKFamilyKeys,
  k: topKFamilyKeys.k.describe('mean number of active latents per token'),
});

type Config = z.output<typeof schema>;

class BatchTopK extends TopKFamily<Config> {
  readonly architecture = 'batchtopk';

  constructor(config: Config, context: BuildContext) {
    super(config, context, [{ name: 'full', from: 0, to: config.width }], { above: 0 });
  }

  protected select(tape: Tape, x: Tensor, k: number): Selected {
    const codes = encodeBatchTop(tape, x, this.encoder, k * x.shape[0]);
    const reconstruction = decode(tape, codes, this.W_dec, this.encoder.center);
    return { codes, reconstruction, losses: { l2: { value: squaredError(tape, reconstruction, x), weight: 1 } } };
  }

  protected smallest(tape: Tape, ofRows: Tensor): Scalar {
    const smallest = tape.scalar();
    tape.device.kernels.leastPositive(smallest, ofRows);
    return smallest;
  }
}

export const batchtopk = defineArchitecture({
  name: 'batchtopk',
  paper: 'Bussmann, Leask, Nanda 2024, BatchTopK Sparse Autoencoders, arXiv 2412.06410',
  summary: 'flat; the k·B largest latents of a batch of B tokens are active, at inference those above a threshold',
  about: {
    idea:
      'Keeps the k largest latents per token on average over the batch instead of exactly k in every token: hard tokens get ' +
      'more, easy ones fewer. At inference a threshold learned as a running mean takes the place of the batch, so that tokens ' +
      'do not depend on each other.',
    equations:
      'f = BatchTopK(ReLU(W_enc (x − b_dec) + b_enc)), L = ‖x − x̂‖² + α aux (section 3); inference by f > θ, θ the mean ' +
      'smallest positive activation of the batches.',
    use:
      'The first choice among the flat ones for reconstruction at equal L0. L0 at inference is near k, not equal to it, and ' +
      'individual tokens can have many latents.',
  },
  hierarchical: false,
  views: ['full'],
  normalization: 'scalar',
  schema,
  check: moreThanWidth,
  cost: ({ width, k }, d) => flatCost(width, k, d),
  build: (config, context) => new BatchTopK(config, context),
});

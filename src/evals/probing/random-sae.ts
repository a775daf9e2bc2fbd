/** The floor of probing: an SAE that has learned nothing but where the activations lie and how sparse it should be. */
import type { Codes, Device, Tensor } from '../../engine/device.ts';
import { encodeTop, RELU, type Encoder } from '../../engine/ops/encode.ts';
import type { Tape } from '../../engine/tape.ts';
import { Random } from '../../core/random.ts';

/** Random SAEs that make a floor. */
export const DRAWS = 3;

/** In the words of a definition. */
export const RANDOM_SAE =
  'codes TopK(ReLU(W (x − x̄))) with the rows of W drawn uniformly from the unit sphere, as many as the SAE has latents, ' +
  'k = its mean L0, x̄ = mean activation, both from the first held-out rows';

export class RandomSae {
  readonly #device: Device;
  readonly #encoder: Encoder;
  readonly #k: number;

  /** @param center `[d]`; @param draw number of the draw */
  constructor(device: Device, width: number, center: Float32Array, l0: number, seed: number, draw: number) {
    const d = center.length;
    const random = new Random(seed, 'evals', 'probing', 'random SAE', draw);
    this.#device = device;
    this.#k = Math.min(width, Math.max(1, Math.round(l0)));
    const W = device.persistent('f32', width, d);
    for (let latent = 0; latent < width; latent++) {
      const row = Float64Array.from({ length: d }, () => random.normal());
      const norm = Math.hypot(...row);
      device.write(
        W,
        Float32Array.from(row, (value) => value / norm),
        latent * d,
      );
    }
    const mean = device.persistent('f32', d);
    device.write(mean, center);
    this.#encoder = { W, bias: null, center: mean, floor: RELU };
  }

  encode(tape: Tape, x: Tensor): Codes {
    return encodeTop(tape, x, this.#encoder, this.#k);
  }

  release(): void {
    this.#device.release(this.#encoder.W);
    this.#device.release(this.#encoder.center!);
  }
}

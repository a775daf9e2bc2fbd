/** Codes and reconstructions of a trained SAE, for every view. The dictionary is computed once. */
import type { Codes } from '../core/codes.ts';
import { readCodes, type Device, type Tensor } from '../engine/device.ts';
import { decode } from '../engine/ops/decode.ts';
import { Tape } from '../engine/tape.ts';
import { restore, standardize } from '../engine/ops/standardize.ts';
import type { Sae, View } from './architecture.ts';

export interface Reconstruction {
  /** Of all latents. */
  readonly codes: Codes;
  /** [rows, d] in the SAE's input space, in the order of the views asked for. */
  readonly views: readonly Float32Array[];
}

/** Brings what codes and dictionary make of x back to the space of x, for models that standardise tokens themselves. */
export function inInputSpace(tape: Tape, sae: Sae, x: Tensor, reconstruction: Tensor): Tensor {
  return sae.standardizes ? restore(tape, reconstruction, standardize(tape, x)) : reconstruction;
}

export class Reconstructor {
  readonly sae: Sae;
  readonly #device: Device;
  readonly #dictionary: Tensor;

  private constructor(device: Device, sae: Sae, dictionary: Tensor) {
    this.#device = device;
    this.sae = sae;
    this.#dictionary = dictionary;
  }

  /** Takes the decoder rows as they stand now; later changes of the SAE are not seen. */
  static async create(device: Device, sae: Sae): Promise<Reconstructor> {
    const dictionary = device.persistent('f32', sae.width, sae.d);
    device.beginStep();
    device.kernels.place(dictionary, 0, sae.dictionary(new Tape(device)));
    await device.flush();
    return new Reconstructor(device, sae, dictionary);
  }

  /**
   * Encodes x and decodes the latents of each view, with the output bias.
   * @param x [rows, d], normalised as the SAE wants it
   */
  async run(x: Float32Array, views: readonly View[] = this.sae.views): Promise<Reconstruction> {
    const { sae } = this;
    const device = this.#device;
    device.beginStep();
    const input = device.scratch('f32', x.length / sae.d, sae.d);
    device.write(input, x);
    const tape = new Tape(device);
    const codes = sae.encode(tape, input);
    const outputs = views.map(({ from, to }) => {
      return inInputSpace(
        tape,
        sae,
        input,
        decode(tape, codes, this.#dictionary, sae.outputBias, { range: { from, to } }),
      );
    });
    const reconstructions: Float32Array[] = [];
    for (const output of outputs) reconstructions.push(await device.read(output as Tensor & { dtype: 'f32' }));
    return { codes: await readCodes(device, codes), views: reconstructions };
  }

  /** Decoder rows of all latents [F, d]. */
  readDictionary(): Promise<Float32Array> {
    return this.#device.read(this.#dictionary as Tensor & { dtype: 'f32' });
  }

  /** Gives the dictionary's memory back. */
  release(): void {
    this.#device.release(this.#dictionary);
  }
}

/**
 * Reverse-mode differentiation over the ops of `ops/`. Each op runs its forward kernels at once (on the device's queue) and
 * leaves behind what has to be done on the way back. Gradients exist only for watched tensors and what is computed from them.
 */
import type { Codes, Device, LatentIndex, Tensor } from './device.ts';
import type { GradientTarget } from './kernels.ts';

/** A float64 number on the device, such as one term of the loss. */
export type Scalar = Tensor & { readonly dtype: 'f64' };

export class Tape {
  readonly device: Device;
  readonly #gradients = new Map<Tensor, GradientTarget>();
  readonly #tracked = new Set<Tensor>();
  readonly #seeds = new Map<Scalar, number>();
  readonly #backward: (() => void)[] = [];
  readonly #latentIndices = new Map<Tensor, LatentIndex>();

  constructor(device: Device) {
    this.device = device;
  }

  /** Asks for the gradient of a leaf (a parameter); it is written to `into`, which is overwritten. */
  watch(tensor: Tensor, into: Tensor): void {
    this.#tracked.add(tensor);
    this.#gradients.set(tensor, { tensor: into, accumulate: false });
  }

  /** Whether any of the tensors depends on something watched. */
  tracks(...tensors: (Tensor | null)[]): boolean {
    return tensors.some((tensor) => tensor !== null && this.#tracked.has(tensor));
  }

  /** Notes that `outputs` depend on something watched and how their gradients flow back. Called by ops only. */
  record(outputs: readonly Tensor[], backward: () => void): void {
    for (const output of outputs) this.#tracked.add(output);
    this.#backward.push(backward);
  }

  /**
   * Propagates the gradient of Σ weight · loss to everything watched.
   * Watched tensors that no loss depends on get a gradient of zero.
   */
  backward(losses: Iterable<{ value: Scalar; weight: number }>): void {
    for (const { value, weight } of losses) this.#seeds.set(value, (this.#seeds.get(value) ?? 0) + weight);
    for (const step of this.#backward.toReversed()) step();
    for (const [tensor, slot] of this.#gradients) {
      if (!slot.accumulate && this.#tracked.has(tensor)) this.device.kernels.clear(slot.tensor);
    }
  }

  /** Weight of a scalar in the total loss; 0 if it is not part of it. For ops that produce losses. */
  seed(scalar: Scalar): number {
    return this.#seeds.get(scalar) ?? 0;
  }

  /** The gradient of a tensor as far as it has been collected, or undefined if nothing flows into it. */
  gradientOf(tensor: Tensor): Tensor | undefined {
    const slot = this.#gradients.get(tensor);
    return slot?.accumulate ? slot.tensor : undefined;
  }

  /**
   * The place to which an op adds its contribution to a tensor's gradient; undefined where none is wanted. The first
   * contribution overwrites, later ones accumulate.
   */
  slotFor(
    tensor: Tensor | null,
    make: () => Tensor = () => this.device.scratch('f32', ...tensor!.shape),
  ): GradientTarget | undefined {
    if (tensor === null || !this.#tracked.has(tensor)) return undefined;
    let slot = this.#gradients.get(tensor);
    if (!slot) this.#gradients.set(tensor, (slot = { tensor: make(), accumulate: false }));
    const result = { tensor: slot.tensor, accumulate: slot.accumulate };
    slot.accumulate = true;
    return result;
  }

  /** The place of the gradient by the values of codes. */
  slotForValues(codes: Codes): GradientTarget | undefined {
    return this.slotFor(codes.value, () => this.device.scratchLike(codes, 'f32'));
  }

  /** The entries of `codes` sorted by latent; built once per step. */
  latentIndex(codes: Codes): LatentIndex {
    let index = this.#latentIndices.get(codes.index);
    if (!index) {
      const { device } = this;
      index = {
        latentPtr: device.scratch('u32', codes.width + 1),
        entryOf: device.scratchLike(codes, 'u32'),
        rowOf: device.scratchLike(codes, 'u32'),
      };
      device.kernels.indexLatents(index, codes);
      this.#latentIndices.set(codes.index, index);
    }
    return index;
  }

  /** Space for a scalar of this step. */
  scalar(): Scalar {
    return this.device.scratch('f64', 1) as Scalar;
  }
}

/**
 * Which latents are dead: a counter of rows since each latent was last selected. The counter is updated with the batch at
 * hand before it is asked (dictionary_learning), on a copy that becomes the state only if the step is taken.
 */
import type { Codes, LatentSet, Tensor } from '../../engine/device.ts';
import type { Scalar, Tape } from '../../engine/tape.ts';

export class DeadLatents {
  /** f32 [F]: rows since the latent was selected. */
  readonly counter: Tensor;
  /** Rows after which a latent counts as dead. */
  readonly threshold: number;
  #updated: Tensor | undefined;

  constructor(counter: Tensor, threshold: number) {
    this.counter = counter;
    this.threshold = threshold;
  }

  /** Records the counters after this batch; `commit` keeps them. */
  observe(tape: Tape, codes: Codes): void {
    const updated = tape.device.scratch('f32', codes.width);
    tape.device.kernels.scale(updated, false, this.counter, 1);
    tape.device.kernels.countSinceFired(updated, codes, tape.latentIndex(codes), codes.rows);
    this.#updated = updated;
  }

  /** The latents that are dead after the observed batch. */
  list(tape: Tape): LatentSet {
    const set = { list: tape.device.scratch('u32', this.counter.shape[0]), count: tape.device.scratch('u32', 1) };
    tape.device.kernels.listAtLeast(set, this.#updated!, this.threshold);
    return set;
  }

  /** The largest counter after the observed batch, for the host to know whether any latent can be dead next time. */
  oldest(tape: Tape): Scalar {
    const oldest = tape.scalar();
    tape.device.kernels.maximum(oldest, this.#updated!);
    return oldest;
  }

  commit(tape: Tape): void {
    tape.device.kernels.scale(this.counter, false, this.#updated!, 1);
  }

  async fraction(tape: { device: Tape['device'] }): Promise<number> {
    const counters = await tape.device.read(this.counter as Tensor & { dtype: 'f32' });
    let dead = 0;
    for (const rows of counters) if (rows >= this.threshold) dead++;
    return dead / counters.length;
  }
}

/**
 * Which latents are dead: a counter of rows (or steps) since each latent last fired. A counter that was observed counts the batch
 * at hand (dictionary_learning, Tree SAE); asked before, it does not (SAELens). Changes are made on a copy that becomes the state
 * only if the step is taken.
 */
import type { Codes, Device, LatentSet, Tensor } from '../../engine/device.ts';
import type { Scalar, Tape } from '../../engine/tape.ts';

/** What counts as firing, and what is counted. */
export interface Counting {
  /** Default 'rows'. */
  unit?: 'rows' | 'steps';
  /** A latent fires with a value above this; default: whenever it is selected, even with value 0. */
  above?: number;
}

export class DeadLatents {
  /** f32 [F]: rows (or steps) since the latent fired. */
  readonly counter: Tensor;
  /** Count from which a latent is dead. */
  readonly threshold: number;
  readonly #counting: Counting;
  #updated: Tensor | undefined;

  constructor(counter: Tensor, threshold: number, counting: Counting = {}) {
    this.counter = counter;
    this.threshold = threshold;
    this.#counting = counting;
  }

  /** Records the counters after this batch; `commit` keeps them. */
  observe(tape: Tape, codes: Codes): void {
    const { unit, above } = this.#counting;
    const updated = tape.device.scratch('f32', codes.width);
    const increment = unit === 'steps' ? 1 : codes.rows;
    tape.device.kernels.scale(updated, false, this.counter, 1);
    tape.device.kernels.countSinceFired(updated, codes, tape.latentIndex(codes), increment, above);
    this.#updated = updated;
  }

  /** The counters after the observed batch. */
  get updated(): Tensor {
    return this.#updated!;
  }

  /** The latents that are dead by the counters after the observed batch, or by those before it. */
  list(tape: Tape, when: 'after' | 'before' = 'after'): LatentSet {
    const set = { list: tape.device.scratch('u32', this.counter.shape[0]), count: tape.device.scratch('u32', 1) };
    tape.device.kernels.listAtLeast(set, when === 'after' ? this.#updated! : this.counter, this.threshold);
    return set;
  }

  /** How many latents are dead after the observed batch. */
  count(tape: Tape): Scalar {
    const count = tape.scalar();
    tape.device.kernels.setSize(count, this.list(tape));
    return count;
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

  /** Share of latents (of a range) that are dead. */
  async fraction({ device }: { device: Device }, range?: { from: number; to: number }): Promise<number> {
    const { from, to } = range ?? { from: 0, to: this.counter.shape[0] };
    const counters = await device.read(this.counter as Tensor & { dtype: 'f32' }, from, to - from);
    let dead = 0;
    for (const rows of counters) if (rows >= this.threshold) dead++;
    return dead / counters.length;
  }
}

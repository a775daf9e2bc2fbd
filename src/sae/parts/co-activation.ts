/**
 * How often latents of a level fire together with those of the level above: running means over steps, on the device. A sum with
 * weights that grow by 1/decay per step stands for the mean, so that a step touches co-active pairs only; it is scaled back from time
 * to time. Memory: children × (parents + 1) numbers for every pair of levels.
 */
import type { Codes, Device, Tensor } from '../../engine/device.ts';
import type { FamilyLevels } from '../../engine/kernels.ts';
import type { Tape } from '../../engine/tape.ts';
import type { Nearest } from '../../forest/assignment.ts';

const DECAY = 0.999;
/** Steps after which weights start from 1 again. */
const SPAN = 1000;

export class CoActivationMeans {
  /** f32 [children, parents + 1]; the last column counts the child alone. */
  readonly sums: Tensor;
  readonly #levels: FamilyLevels;

  constructor(device: Device, levels: FamilyLevels) {
    this.#levels = levels;
    this.sums = device.persistent('f32', levels.to - levels.split, levels.split - levels.from + 1);
  }

  /** Records the change by the codes of a step. */
  add(tape: Tape, codes: Codes, step: number): void {
    const { kernels } = tape.device;
    const age = step % SPAN;
    kernels.coActivate(this.sums, codes, tape.latentIndex(codes), this.#levels, DECAY ** -age);
    if (age === SPAN - 1) kernels.scale(this.sums, false, this.sums, DECAY ** SPAN);
  }

  /** For each child the parent that is most often active with it, and how often: P(parent | child); 0 for one that never fired. */
  async nearest(device: Device): Promise<Nearest> {
    const [children, columns] = this.sums.shape;
    const sums = await device.read(this.sums as Tensor & { dtype: 'f32' });
    const index = new Uint32Array(children);
    const similarity = new Float32Array(children);
    for (let c = 0; c < children; c++) {
      const own = sums.subarray(c * columns, (c + 1) * columns);
      for (let p = 1; p < columns - 1; p++) if (own[p] > own[index[c]]) index[c] = p;
      if (own[columns - 1] > 0) similarity[c] = own[index[c]] / own[columns - 1];
    }
    return { index, similarity };
  }
}

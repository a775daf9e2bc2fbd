/** The latent that stands for each feature of a known truth: by when it fires, or by where its decoder row points. */
import type { Device } from '../../engine/device.ts';
import { nearestRows } from '../../engine/nearest-rows.ts';
import type { FiringOverlap } from '../../forest/firing-overlap.ts';
import type { Forest } from '../../forest/forest.ts';
import { RECOVERED_COSINE } from '../../forest/truth.ts';
import type { LatentRange } from '../../engine/kernels.ts';

export interface MainLatents {
  /** `[features]` −1 for none. */
  readonly latent: Int32Array;
  /** `[features]` 1 where the latent is good enough to stand for a parent: who has no latent cannot be absorbed. */
  readonly isFound: Uint8Array;
  /** `[features]` 1 where it is good enough to stand for a child, which may have taken the parent's direction in. */
  readonly isChildFound: Uint8Array;
}

/** F1 of a main latent that counts. */
export const LEAST_F1 = 0.5;
/** |cos| of a child's main latent that counts: one that holds its parent's direction as well has 1/√2. */
export const LEAST_CHILD_COSINE = 0.5;

/**
 * Ranges of latents, each with its own main latents: the best F1 among them, the lowest latent of equal ones. A parent whose main latent
 * is also that of one of its children has none of its own.
 */
export function mainByFiring(overlap: FiringOverlap, ranges: readonly LatentRange[], truth: Forest): MainLatents[] {
  const { features } = overlap;
  const best = ranges.map(() => ({ latent: new Int32Array(features).fill(-1), f1: new Float64Array(features) }));
  overlap.eachPair((latent, feature, _hits, f1) => {
    ranges.forEach(({ from, to }, r) => {
      const { latent: main, f1: most } = best[r];
      if (latent < from || latent >= to || f1 < most[feature]) return;
      if (f1 === most[feature] && latent > main[feature]) return;
      main[feature] = latent;
      most[feature] = f1;
    });
  });
  return best.map(({ latent, f1 }) => {
    const isChildFound = Uint8Array.from(f1, (value) => Number(value >= LEAST_F1));
    const isFound = isChildFound.slice();
    for (const [parent, child] of truth.edges()) if (latent[parent] === latent[child]) isFound[parent] = 0;
    return { latent, isFound, isChildFound };
  });
}

/** Features whose cosines are taken at once. */
const TOGETHER = 1024;

/** The largest |cos|; none where no decoder row of the range has a part along the direction. @param decoder `[width, d]`; @param directions `[features, d]` */
export async function mainByDirection(
  device: Device,
  decoder: Float32Array,
  directions: Float32Array,
  d: number,
  { from, to }: LatentRange,
): Promise<MainLatents> {
  const features = directions.length / d;
  const candidates = decoder.subarray(from * d, to * d);
  const latent = new Int32Array(features).fill(-1);
  const cosine = new Float64Array(features);
  for (let start = 0; start < features; start += TOGETHER) {
    const rows = directions.slice(start * d, (start + TOGETHER) * d);
    for (const sign of [1, -1]) {
      device.beginStep();
      const { index, similarity } = await nearestRows(
        device,
        rows.map((value) => sign * value),
        candidates,
        d,
      );
      index.forEach((candidate, i) => {
        if (similarity[i] <= cosine[start + i]) return;
        cosine[start + i] = similarity[i];
        latent[start + i] = from + candidate;
      });
    }
  }
  return {
    latent,
    isFound: Uint8Array.from(cosine, (value) => Number(value >= RECOVERED_COSINE)),
    isChildFound: Uint8Array.from(cosine, (value) => Number(value >= LEAST_CHILD_COSINE)),
  };
}

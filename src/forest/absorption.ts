/**
 * Absorption against a known tree (methods 7.2): a latent of the parent that is silent where a child is on, because the child's
 * latent has taken the parent's direction over. The *main latent* of a feature is the one whose decoder row has the largest |cos|
 * with it, the lowest of equal ones.
 *
 *   absorption rate of (p, c) = P(main latent of p off | p and c on)
 *   decoder leak of (p, c)    = cos(decoder row of c's main latent, direction of p), 0 = clean; 1/√2 when that row is the sum of two
 *                               orthogonal directions of equal length. A row that points away from its own feature is turned round.
 *
 * Both are means over the true parent–child pairs.
 */
import type { Codes } from '../core/codes.ts';
import { mean } from '../core/statistics.ts';
import type { Forest } from './forest.ts';

export interface AbsorptionPair {
  readonly parent: number;
  readonly child: number;
  /** Rows in which both features are on, and those of them in which the parent's main latent is off. */
  readonly rows: number;
  readonly off: number;
  readonly leak: number;
}

export interface Absorption {
  readonly pairs: readonly AbsorptionPair[];
  /** Mean over the pairs that occur in the sample; NaN when none does. */
  readonly rate: number;
  /** Mean over all pairs; NaN without any. */
  readonly leak: number;
}

/**
 * @param on `[rows, features]`, non-zero where a feature is on, for the rows of `codes`
 * @param cosines `[latents, features]` of `cosinesOf`, signed
 */
export function measureAbsorption(truth: Forest, codes: Codes, on: Uint8Array, cosines: Float32Array): Absorption {
  const features = truth.size;
  if (cosines.length !== codes.width * features || on.length !== codes.rows * features) {
    throw new RangeError(`${cosines.length} cosines and ${on.length} truths for ${codes.rows} × ${codes.width} codes`);
  }
  const main = mainLatents(cosines, features);
  const fired = new Uint8Array(codes.width);
  const edges = [...truth.edges()];
  const rows = new Float64Array(edges.length);
  const off = new Float64Array(edges.length);
  for (let r = 0; r < codes.rows; r++) {
    const entries = codes.index.subarray(codes.rowPtr[r], codes.rowPtr[r + 1]);
    entries.forEach((latent, i) => (fired[latent] = codes.value[codes.rowPtr[r] + i] === 0 ? 0 : 1));
    edges.forEach(([p, c], i) => {
      if (on[r * features + p] === 0 || on[r * features + c] === 0) return;
      rows[i]++;
      if (!fired[main[p]]) off[i]++;
    });
    for (const latent of entries) fired[latent] = 0;
  }
  const pairs = edges.map(([parent, child], i) => {
    const latent = main[child] * features;
    const leak = Math.sign(cosines[latent + child]) * cosines[latent + parent];
    return { parent, child, rows: rows[i], off: off[i], leak };
  });
  return {
    pairs,
    rate: mean(pairs.filter((pair) => pair.rows > 0).map((pair) => pair.off / pair.rows)),
    leak: mean(pairs.map((pair) => pair.leak)),
  };
}

/** `[features]` latent with the largest |cos|. */
function mainLatents(cosines: Float32Array, features: number): Int32Array {
  const main = new Int32Array(features);
  for (let at = 0; at < cosines.length; at += features) {
    for (let j = 0; j < features; j++) {
      if (Math.abs(cosines[at + j]) > Math.abs(cosines[main[j] * features + j])) main[j] = at / features;
    }
  }
  return main;
}

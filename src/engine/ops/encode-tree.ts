/**
 * Encoder of a tree, layer by layer (Tree SAE, arXiv 2605.07922, eq. 6): a latent is scored only on tokens where its parent is
 * active, and each layer keeps its k_l largest scores.
 *
 *   z = W (x − center) + bias,   code_i = z_i where z_i ≥ floor and code_parent(i) > above (always for children of the root),
 *   then the k_l largest of each layer, filled with value 0 from the layer's first latent upwards; ties go to the lowest latent
 *
 * x [B, d], W [F, d]; latents of a layer are contiguous, layer after layer, so the joined codes are in ascending order. Work per
 * token is layer 0 + the roots' children + the children of active parents, never F: scores go parent by parent, a child row is
 * read once for many tokens. Gradients as in encode.ts; gate and selection are constants.
 */
import type { Codes, LatentSet, Tensor } from '../device.ts';
import type { Children, LatentRange } from '../kernels.ts';
import type { Tape } from '../tape.ts';
import { centered, recordEncoder, type Encoder } from './encode.ts';

export interface TreeLayer {
  range: LatentRange;
  /** Entries per row. */
  k: number;
  /** Children in this layer of every latent of the layers before it; null for the first layer. */
  children: Children | null;
  /** Latents without a parent, scored for every row: all of the first layer; null = none. */
  roots: LatentSet | null;
}

export interface TreeCodes {
  /** Of all layers, Σ k_l entries per row. */
  codes: Codes;
  /** The k largest scores of open latents of a layer with counter ≥ threshold (dead ones): an encoding of its own. */
  among(layer: number, k: number, counter: Tensor, threshold: number): Codes;
}

/** The layers follow each other and end at F; an entry opens its children with a value > above. */
export function encodeTree(
  tape: Tape,
  x: Tensor,
  encoder: Encoder,
  layers: readonly TreeLayer[],
  above: number,
): TreeCodes {
  const { device } = tape;
  const { kernels } = device;
  const { W, bias, floor } = encoder;
  const [rows] = x.shape;
  const width = W.shape[0];
  const input = centered(tape, x, encoder);
  // The latents of the layers so far are a prefix of all: the codes so far are those of a narrower dictionary.
  let codes = device.scratchCodes(rows, layers[0].range.to, layers[0].k);
  kernels.encodeTop(codes, input, W, bias, floor);
  /** Of each layer: the codes of the layers before it. */
  const gates = layers.map(({ range, k, children, roots }) => {
    const before = codes;
    if (!children) return before;
    codes = device.scratchCodes(rows, range.to, before.perRow! + k);
    const gate = { above, floor, range, roots: roots && bestOf(roots, k) };
    kernels.topChildren(codes, before, before, children, input, W, bias, gate);
    return before;
  });
  recordEncoder(tape, codes, input, encoder);
  return { codes, among };

  /** The k largest scores among latents that are open on every row. */
  function bestOf(set: LatentSet, k: number): Codes {
    const best = device.scratchCodes(rows, width);
    kernels.encodeTopAmong(best, input, W, bias, floor, k, set);
    return best;
  }

  function among(layer: number, k: number, counter: Tensor, threshold: number): Codes {
    const { range, roots, children } = layers[layer];
    const size = range.to - range.from;
    const perRow = Math.min(k, size);
    let best: Codes | null = null;
    if (roots) {
      const kept = { list: device.scratch('u32', size), count: device.scratch('u32', 1) };
      kernels.keepAtLeast(kept, roots, counter, threshold);
      best = bestOf(kept, perRow);
    }
    if (children) {
      const gate = { above, floor, range, roots: best, only: { counter, threshold } };
      best = device.scratchCodes(rows, width, perRow);
      kernels.topChildren(best, null, gates[layer], children, input, W, bias, gate);
    }
    if (!best) throw new Error(`layer ${layer} has neither roots nor children`);
    recordEncoder(tape, best, input, encoder);
    return best;
  }
}

/**
 * Layers of latents on the device, each gated by those before it: who is whose child, sorted by parent. Rebuilt on the host
 * whenever parents change.
 */
import type { Device, Tensor } from '../../engine/device.ts';
import type { LatentRange } from '../../engine/kernels.ts';
import type { TreeLayer } from '../../engine/ops/encode-tree.ts';

/** Device memory of one layer: lists are as long as the layer, and used as far as they are needed. */
interface Links {
  range: LatentRange;
  k: number;
  /** u32 [latents before + 1], [size] */
  childPtr: Tensor;
  children: Tensor;
  /** u32 [size], [1] */
  roots: Tensor;
  rootCount: Tensor;
  hasRoots: boolean;
}

export class TreeLayers {
  readonly #device: Device;
  readonly #links: readonly Links[];

  /**
   * @param sizes latents per layer
   * @param k active latents per layer
   */
  constructor(device: Device, sizes: readonly number[], k: readonly number[]) {
    this.#device = device;
    let from = 0;
    this.#links = sizes.map((size, l) => {
      const range = { from, to: from + size };
      from = range.to;
      return {
        range,
        k: k[l],
        childPtr: device.persistent('u32', range.from + 1),
        children: device.persistent('u32', size),
        roots: device.persistent('u32', size),
        rootCount: device.persistent('u32', 1),
        hasRoots: false,
      };
    });
  }

  get ranges(): LatentRange[] {
    return this.#links.map(({ range }) => range);
  }

  /** For {@link encodeTree}, by the parents last {@link connect}ed. */
  get layers(): TreeLayer[] {
    return this.#links.map(({ range, k, childPtr, children, roots, rootCount, hasRoots }) => ({
      range,
      k,
      children: range.from > 0 ? { childPtr, children } : null,
      roots: hasRoots ? { list: roots, count: rootCount } : null,
    }));
  }

  /**
   * Takes over the parents of all latents, −1 for a root; a parent lies in an earlier layer than its child. The queue must
   * be empty.
   */
  connect(parents: Int32Array): void {
    for (const links of this.#links) {
      const { from, to } = links.range;
      const ofLayer = parents.subarray(from, to);
      // Counting sort by parent.
      const childPtr = new Uint32Array(from + 1);
      const roots: number[] = [];
      ofLayer.forEach((parent, i) => {
        if (parent < 0) roots.push(from + i);
        else childPtr[parent + 1]++;
      });
      for (let p = 0; p < from; p++) childPtr[p + 1] += childPtr[p];
      const children = new Uint32Array(to - from - roots.length);
      const next = childPtr.slice();
      ofLayer.forEach((parent, i) => {
        if (parent >= 0) children[next[parent]++] = from + i;
      });
      this.#device.write(links.childPtr, childPtr);
      this.#device.write(links.children, children);
      this.#device.write(links.roots, roots);
      this.#device.write(links.rootCount, [roots.length]);
      links.hasRoots = roots.length > 0;
    }
  }
}

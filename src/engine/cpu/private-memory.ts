/** A worker's private WASM memory as named regions; grows when a plan needs more, never shrinks. */
import { SaeforestError } from '../../core/errors.ts';

const PAGE = 65536;
/** Regions start on cache lines: the dense product writes 64 bytes at a time. */
const ALIGN = 64;

/** wasm32 addresses 4 GiB. */
const MAX_PAGES = 65536;

export class PrivateMemory {
  readonly memory = new WebAssembly.Memory({ initial: 16, maximum: MAX_PAGES });
  /** Byte address of each region of the current plan. */
  regions: Record<string, number> = {};

  /** Lays out regions of the given numbers of 4-byte elements; their content is undefined. */
  plan<K extends string>(sizes: Record<K, number>): Record<K, number> {
    const regions = {} as Record<K, number>;
    let end = ALIGN;
    for (const name of Object.keys(sizes) as K[]) {
      regions[name] = end;
      end = Math.ceil((end + 4 * sizes[name]) / ALIGN) * ALIGN;
    }
    if (end > MAX_PAGES * PAGE) {
      throw new SaeforestError(
        `out of device memory: one thread needs ${Math.round(end / 2 ** 20)} MiB for a dense product, it addresses 4096 MiB`,
        { hint: 'a smaller width' },
      );
    }
    const missing = Math.ceil((end - this.memory.buffer.byteLength) / PAGE);
    if (missing > 0) this.memory.grow(missing);
    this.regions = regions;
    return regions;
  }

  f32(region: string, length: number): Float32Array {
    return new Float32Array(this.memory.buffer, this.regions[region], length);
  }

  u32(region: string, length: number): Uint32Array {
    return new Uint32Array(this.memory.buffer, this.regions[region], length);
  }
}

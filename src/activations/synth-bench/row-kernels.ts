/** The functions of kernels/synth-bench.ts and a memory for the arrays of one benchmark. */
import { loadKernels } from '../../core/built.ts';

interface Exports {
  ownThresholds(
    F: number,
    epsilon: number,
    threshold: number,
    inverse: number,
    out: number,
    n: number,
    rank: number,
  ): void;
  placesBelow(values: number, n: number, limit: number, out: number): number;
  weightedRows(rows: number, index: number, value: number, count: number, start: number, out: number, d: number): void;
}

const PAGE = 65_536;
/** Pages of kernels/asconfig.json. */
const PAGES = { initial: 16, maximum: 65_536 };
const ALIGN = 16;
const WORD = 4;

/** Arrays are handed to `run` by their `byteOffset`. */
export class RowKernels {
  readonly run: Exports;
  readonly #memory: WebAssembly.Memory;
  #end = ALIGN;

  static async create(): Promise<RowKernels> {
    const memory = new WebAssembly.Memory({ ...PAGES, shared: true });
    const { exports } = await WebAssembly.instantiate(loadKernels('synth-bench'), { env: { memory } });
    return new RowKernels(memory, exports as unknown as Exports);
  }

  private constructor(memory: WebAssembly.Memory, run: Exports) {
    this.#memory = memory;
    this.run = run;
  }

  f32(length: number): Float32Array {
    const at = this.#take(length);
    return new Float32Array(this.#memory.buffer, at, length);
  }

  u32(length: number): Uint32Array {
    const at = this.#take(length);
    return new Uint32Array(this.#memory.buffer, at, length);
  }

  /** Address of some words; the memory's buffer may be another one afterwards. */
  #take(length: number): number {
    const at = this.#end;
    this.#end += ALIGN * Math.ceil((WORD * length) / ALIGN);
    const missing = this.#end - this.#memory.buffer.byteLength;
    if (missing > 0) this.#memory.grow(Math.ceil(missing / PAGE));
    return at;
  }
}

/** The functions of kernels/logistic.ts over one set of rows at a time; the memory is reused, and grows to the largest set. */
import { loadKernels } from '../core/built.ts';

interface Exports {
  logits(x: number, n: number, d: number, w: number, intercept: number, out: number): void;
  addRows(x: number, n: number, d: number, factor: number, to: number): void;
}

const PAGE = 65_536;
const BYTES = 8;
/** Rows and columns are padded with zeros to multiples of this. */
const PAD = 4;
const padded = (size: number): number => PAD * Math.ceil(size / PAD);

let shared: { readonly memory: WebAssembly.Memory; readonly run: Exports } | undefined;

function kernels(): NonNullable<typeof shared> {
  if (shared) return shared;
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 65_536 });
  const { exports } = new WebAssembly.Instance(loadKernels('logistic'), { env: { memory } });
  return (shared = { memory, run: exports as unknown as Exports });
}

/** Rows that stay in the kernels' memory until the next set is made. */
export class LogisticRows {
  readonly n: number;
  readonly d: number;
  readonly #run: Exports;
  readonly #x: Float64Array;
  /** `[d]` */
  readonly #vector: Float64Array;
  /** `[n]` */
  readonly #column: Float64Array;

  /** @param x [n, d] row by row */
  constructor(x: Float32Array | Float64Array, d: number) {
    const { memory, run } = kernels();
    this.d = d;
    this.n = x.length / d;
    this.#run = run;
    const [rows, width] = [padded(this.n), padded(d)];
    const missing = BYTES * (rows * width + width + rows) - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
    this.#x = new Float64Array(memory.buffer, 0, rows * width).fill(0);
    this.#vector = new Float64Array(memory.buffer, this.#x.byteLength, width).fill(0);
    this.#column = new Float64Array(memory.buffer, this.#x.byteLength + this.#vector.byteLength, rows).fill(0);
    for (let i = 0; i < this.n; i++) this.#x.set(x.subarray(i * d, (i + 1) * d), i * width);
  }

  /** `[n]` w·xᵢ + intercept, a view that is valid until the next call. @param w the first d numbers count */
  logits(w: Float64Array, intercept: number): Float64Array {
    const [x, vector, column] = [this.#x, this.#vector, this.#column];
    vector.set(w.subarray(0, this.d));
    this.#run.logits(x.byteOffset, this.n, vector.length, vector.byteOffset, intercept, column.byteOffset);
    return column.subarray(0, this.n);
  }

  /** `[d]` Σ factorᵢ xᵢ, a view that is valid until the next call. @param factors `[n]` */
  weightedSum(factors: Float64Array): Float64Array {
    const [x, vector, column] = [this.#x, this.#vector, this.#column];
    column.set(factors);
    column.fill(0, this.n);
    vector.fill(0);
    this.#run.addRows(x.byteOffset, column.length, vector.length, column.byteOffset, vector.byteOffset);
    return vector.subarray(0, this.d);
  }
}

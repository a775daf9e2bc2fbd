/** Float32 products in a worker's private memory, by ONNX Runtime on one thread or by the portable WASM kernel. */
import type * as Ort from 'onnxruntime-node';
import type { PRODUCT_KINDS } from './commands.ts';
import { gemmModel } from './gemm-model.ts';

export type ProductKind = (typeof PRODUCT_KINDS)[number];

/** out[m, n] = a·bᵀ, b [n, depth], + bias (`stride` elements from row to row) if its address is not 0; all addresses in the private memory. */
type PortableProduct = (
  a: number,
  b: number,
  bias: number,
  stride: number,
  out: number,
  m: number,
  n: number,
  depth: number,
) => void;

/** Byte addresses of the operands in the private memory; bias 0 = none. */
export interface Operands {
  a: number;
  b: number;
  bias: number;
  /** 1 = one row [n] for all, m = one each. */
  biasRows: number;
  out: number;
}

export class DenseProduct {
  readonly #memory: WebAssembly.Memory;
  readonly #portable: PortableProduct;
  readonly #ort: typeof Ort | undefined;
  readonly #sessions = new Map<string, Promise<Ort.InferenceSession>>();

  constructor(memory: WebAssembly.Memory, portable: PortableProduct, ort: typeof Ort | undefined) {
    this.#memory = memory;
    this.#portable = portable;
    this.#ort = ort;
  }

  get name(): string {
    return this.#ort ? 'onnxruntime' : 'wasm';
  }

  /** Whether 'nn' and 'tn' need b (and a) transposed beforehand: the portable kernel knows 'nt' only. */
  get onlyTransposed(): boolean {
    return !this.#ort;
  }

  async run(
    { a, b, bias, biasRows, out }: Operands,
    m: number,
    n: number,
    depth: number,
    kind: ProductKind,
  ): Promise<void> {
    if (!this.#ort) {
      this.#portable(a, b, bias, biasRows === 1 ? 0 : n, out, m, n, depth);
      return;
    }
    const { Tensor } = this.#ort;
    const tensor = (offset: number, rows: number, cols: number): Ort.Tensor =>
      new Tensor('float32', new Float32Array(this.#memory.buffer, offset, rows * cols), [rows, cols]);
    const feeds: Record<string, Ort.Tensor> = {
      a: kind === 'tn' ? tensor(a, depth, m) : tensor(a, m, depth),
      b: kind === 'nt' ? tensor(b, n, depth) : tensor(b, depth, n),
    };
    if (bias) feeds.bias = tensor(bias, biasRows, n);
    const session = await this.#session(kind, bias !== 0);
    await session.run(feeds, { y: tensor(out, m, n) });
  }

  #session(kind: ProductKind, biased: boolean): Promise<Ort.InferenceSession> {
    const key = `${kind}${biased}`;
    let session = this.#sessions.get(key);
    if (!session) {
      // One thread each: the workers share the rows, so a product never depends on how many of them there are.
      session = this.#ort!.InferenceSession.create(gemmModel(kind === 'tn', kind === 'nt', biased), {
        executionProviders: ['cpu'],
        intraOpNumThreads: 1,
        interOpNumThreads: 1,
      });
      this.#sessions.set(key, session);
    }
    return session;
  }
}

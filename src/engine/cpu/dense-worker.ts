/**
 * The dense half of a worker: products by ONNX Runtime (or the portable WASM kernel), selection in a private WASM memory.
 * Matrices come from shared memory as mirrors; scores never leave the worker, only what was selected does.
 */
import { BLOCK_ROWS, DENSE, PRODUCT_KINDS } from './commands.ts';
import { gemmModel } from './gemm-model.ts';
import { PrivateMemory } from './private-memory.ts';
import type * as Ort from 'onnxruntime-node';

interface DenseExports {
  selectTop(
    scores: number,
    rows: number,
    n: number,
    k: number,
    floor: number,
    outIndex: number,
    outValue: number,
    scratch: number,
  ): void;
  selectAtLeast(
    scores: number,
    rows: number,
    n: number,
    floor: number,
    outCount: number,
    outIndex: number,
    outValue: number,
  ): number;
  productTransposed(a: number, b: number, bias: number, out: number, m: number, n: number, depth: number): void;
}

type Kind = (typeof PRODUCT_KINDS)[number];

/** Columns of `aᵀ·b` that one worker computes at a time. */
const BLOCK_COLUMNS = 64;

export class DenseWorker {
  readonly #shared: WebAssembly.Memory;
  readonly #private: PrivateMemory;
  readonly #kernels: DenseExports;
  readonly #ort: typeof Ort | undefined;
  readonly #sessions = new Map<string, Promise<Ort.InferenceSession>>();
  /** Entries of the last threshold scan that wait for their places. */
  #kept: { row: number; rows: number; from: number; to: number }[] = [];
  #keptIndex = new Uint32Array(0);
  #keptValue = new Float32Array(0);

  static async create(shared: WebAssembly.Memory, module: WebAssembly.Module, native: boolean): Promise<DenseWorker> {
    const memory = new PrivateMemory();
    const instance = await WebAssembly.instantiate(module, { env: { memory: memory.memory } });
    return new DenseWorker(
      shared,
      memory,
      instance.exports as unknown as DenseExports,
      native ? await import('onnxruntime-node') : undefined,
    );
  }

  private constructor(
    shared: WebAssembly.Memory,
    memory: PrivateMemory,
    kernels: DenseExports,
    ort: typeof Ort | undefined,
  ) {
    this.#shared = shared;
    this.#private = memory;
    this.#kernels = kernels;
    this.#ort = ort;
  }

  /** Who computes the products. */
  get product(): string {
    return this.#ort ? 'onnxruntime' : 'wasm';
  }

  async run(command: number, args: number): Promise<void> {
    const a = new Uint32Array(this.#shared.buffer, args, 16);
    switch (command) {
      case DENSE.encodeTop.number:
        return this.#encodeTop(a);
      case DENSE.scanAtLeast.number:
        return this.#scanAtLeast(a);
      case DENSE.placeAtLeast.number:
        return this.#placeAtLeast(a[0], a[1], a[2]);
      case DENSE.score.number:
        return this.#score(a);
      case DENSE.product.number:
        return this.#product(a);
      default:
        throw new Error(`unknown command ${command}`);
    }
  }

  async #encodeTop(a: Uint32Array): Promise<void> {
    const [x, W, bias, indexOut, valueOut, rows, width, d, k, list, listed, cursor] = a;
    const floor = this.#f32(addressOf(a, 12), 1)[0];
    const n = list ? this.#u32(listed, 1)[0] : width;
    const top = Math.min(k, n);
    if (top === 0) return;
    const regions = this.#private.plan({
      x: BLOCK_ROWS * d,
      W: n * d,
      bias: n,
      scores: BLOCK_ROWS * n,
      index: BLOCK_ROWS * top,
      value: BLOCK_ROWS * top,
      scratch: 4 * n,
    });
    const names = list ? this.#u32(list, n) : undefined;
    let mirrored = false;
    for (let row = this.#next(cursor, BLOCK_ROWS); row < rows; row = this.#next(cursor, BLOCK_ROWS)) {
      if (!mirrored) this.#mirror(W, bias, width, d, names);
      mirrored = true;
      const count = Math.min(BLOCK_ROWS, rows - row);
      await this.#scores(x, row, count, n, d, bias !== 0);
      this.#kernels.selectTop(regions.scores, count, n, top, floor, regions.index, regions.value, regions.scratch);
      const index = this.#private.u32('index', count * top);
      if (names) for (let i = 0; i < index.length; i++) index[i] = names[index[i]];
      this.#u32(indexOut, rows * top).set(index, row * top);
      this.#f32(valueOut, rows * top).set(this.#private.f32('value', count * top), row * top);
    }
  }

  async #score(a: Uint32Array): Promise<void> {
    const [x, W, bias, rows, n, d, cursor] = a;
    this.#private.plan({ x: BLOCK_ROWS * d, W: n * d, bias: n, scores: BLOCK_ROWS * n });
    this.#mirror(W, bias, n, d, undefined);
    for (let row = this.#next(cursor, BLOCK_ROWS); row < rows; row = this.#next(cursor, BLOCK_ROWS)) {
      await this.#scores(x, row, Math.min(BLOCK_ROWS, rows - row), n, d, bias !== 0);
    }
  }

  async #scanAtLeast(a: Uint32Array): Promise<void> {
    const [x, W, bias, counts, rows, n, d, cursor] = a;
    const floor = this.#f32(addressOf(a, 8), 1)[0];
    const regions = this.#private.plan({
      x: BLOCK_ROWS * d,
      W: n * d,
      bias: n,
      scores: BLOCK_ROWS * n,
      counts: BLOCK_ROWS,
      index: BLOCK_ROWS * n,
      value: BLOCK_ROWS * n,
    });
    this.#kept = [];
    let kept = 0;
    for (let row = this.#next(cursor, BLOCK_ROWS); row < rows; row = this.#next(cursor, BLOCK_ROWS)) {
      if (this.#kept.length === 0) this.#mirror(W, bias, n, d, undefined);
      const count = Math.min(BLOCK_ROWS, rows - row);
      await this.#scores(x, row, count, n, d, bias !== 0);
      const found = this.#kernels.selectAtLeast(
        regions.scores,
        count,
        n,
        floor,
        regions.counts,
        regions.index,
        regions.value,
      );
      this.#u32(counts, rows).set(this.#private.u32('counts', count), row);
      if (kept + found > this.#keptIndex.length) this.#growKept(kept + found);
      this.#keptIndex.set(this.#private.u32('index', found), kept);
      this.#keptValue.set(this.#private.f32('value', found), kept);
      this.#kept.push({ row, rows: count, from: kept, to: kept + found });
      kept += found;
    }
  }

  #placeAtLeast(indexOut: number, valueOut: number, rowPtr: number): void {
    for (const { row, from, to } of this.#kept) {
      const at = this.#u32(rowPtr + 4 * row, 1)[0];
      this.#u32(indexOut + 4 * at, to - from).set(this.#keptIndex.subarray(from, to));
      this.#f32(valueOut + 4 * at, to - from).set(this.#keptValue.subarray(from, to));
    }
  }

  async #product(a: Uint32Array): Promise<void> {
    const [out, left, right, m, n, depth, kindNumber, cursor] = a;
    const kind = PRODUCT_KINDS[kindNumber];
    const step = kind === 'tn' ? BLOCK_COLUMNS : BLOCK_ROWS;
    this.#private.plan({ x: step * depth, W: n * depth, bias: 0, scores: step * n });
    let mirrored = false;
    for (let row = this.#next(cursor, step); row < m; row = this.#next(cursor, step)) {
      const count = Math.min(step, m - row);
      if (!mirrored) this.#copyRight(right, n, depth, kind);
      mirrored = true;
      this.#copyLeft(left, row, count, m, depth, kind);
      await this.#multiply(count, n, depth, false, kind);
      this.#f32(out, m * n).set(this.#private.f32('scores', count * n), row * n);
    }
  }

  /** Scores of rows [row, row + count) in the region `scores`. */
  async #scores(x: number, row: number, count: number, n: number, d: number, biased: boolean): Promise<void> {
    this.#private.f32('x', count * d).set(this.#f32(x + 4 * row * d, count * d));
    await this.#multiply(count, n, d, biased, 'nt');
  }

  async #multiply(m: number, n: number, depth: number, biased: boolean, kind: Kind): Promise<void> {
    const memory = this.#private;
    if (!this.#ort) {
      const { x, W, bias, scores } = memory.regions;
      this.#kernels.productTransposed(x, W, biased ? bias : 0, scores, m, n, depth);
      return;
    }
    const { Tensor } = this.#ort;
    const feeds: Record<string, Ort.Tensor> = {
      a: new Tensor('float32', memory.f32('x', m * depth), kind === 'tn' ? [depth, m] : [m, depth]),
      b: new Tensor('float32', memory.f32('W', n * depth), kind === 'nt' ? [n, depth] : [depth, n]),
    };
    if (biased) feeds.bias = new Tensor('float32', memory.f32('bias', n), [n]);
    const session = await this.#session(kind, biased);
    await session.run(feeds, { y: new Tensor('float32', memory.f32('scores', m * n), [m, n]) });
  }

  #session(kind: Kind, biased: boolean): Promise<Ort.InferenceSession> {
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

  #mirror(W: number, bias: number, width: number, d: number, names: Uint32Array | undefined): void {
    const n = names ? names.length : width;
    const mirror = this.#private.f32('W', n * d);
    const weights = this.#f32(W, width * d);
    if (names) for (let i = 0; i < n; i++) mirror.set(weights.subarray(names[i] * d, (names[i] + 1) * d), i * d);
    else mirror.set(weights);
    if (!bias) return;
    const biases = this.#f32(bias, width);
    const target = this.#private.f32('bias', n);
    if (names) for (let i = 0; i < n; i++) target[i] = biases[names[i]];
    else target.set(biases);
  }

  #copyRight(right: number, n: number, depth: number, kind: Kind): void {
    const source = this.#f32(right, n * depth);
    const target = this.#private.f32('W', n * depth);
    if (kind === 'nt' || this.#ort) target.set(source);
    else for (let p = 0; p < depth; p++) for (let j = 0; j < n; j++) target[j * depth + p] = source[p * n + j];
  }

  #copyLeft(left: number, row: number, count: number, m: number, depth: number, kind: Kind): void {
    const target = this.#private.f32('x', count * depth);
    if (kind !== 'tn') {
      target.set(this.#f32(left + 4 * row * depth, count * depth));
      return;
    }
    const source = this.#f32(left, m * depth);
    for (let p = 0; p < depth; p++) {
      const part = source.subarray(p * m + row, p * m + row + count);
      if (this.#ort) target.set(part, p * count);
      else for (let i = 0; i < count; i++) target[i * depth + p] = part[i];
    }
  }

  #growKept(size: number): void {
    const grow = Math.max(size, 2 * this.#keptIndex.length);
    const [index, value] = [new Uint32Array(grow), new Float32Array(grow)];
    index.set(this.#keptIndex);
    value.set(this.#keptValue);
    [this.#keptIndex, this.#keptValue] = [index, value];
  }

  /** Takes the next block from the counter that the workers share. */
  #next(cursor: number, step: number): number {
    return step * Atomics.add(new Uint32Array(this.#shared.buffer, cursor, 1), 0, 1);
  }

  #f32(offset: number, length: number): Float32Array {
    return new Float32Array(this.#shared.buffer, offset, length);
  }

  #u32(offset: number, length: number): Uint32Array {
    return new Uint32Array(this.#shared.buffer, offset, length);
  }
}

/** Byte address of argument `i`. */
const addressOf = (a: Uint32Array, i: number): number => a.byteOffset + 4 * i;

/**
 * The dense half of a worker: it scores tiles of rows and latents in a private memory and selects there. Matrices come from
 * shared memory as mirrors; scores never leave the worker, only what was selected does.
 */
import { BINS, DENSE, PRODUCT_KINDS, TILE } from './commands.ts';
import { DenseProduct, type ProductKind } from './dense-product.ts';
import { PrivateMemory } from './private-memory.ts';

interface DenseExports {
  selectTop(
    scores: number,
    rows: number,
    n: number,
    tile: number,
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
    tile: number,
    floor: number,
    outCount: number,
    outIndex: number,
    outValue: number,
  ): number;
  histogram(scores: number, n: number, floor: number, shift: number, bins: number): void;
  productTransposed(
    a: number,
    b: number,
    bias: number,
    stride: number,
    out: number,
    m: number,
    n: number,
    depth: number,
  ): void;
}

/** Where biases stand in shared memory: address 0 = none, stride 0 = one row for all, else elements from row to row. */
interface Biases {
  address: number;
  stride: number;
}

/** Columns of `aᵀ·b` that one worker computes at a time. */
const BLOCK_COLUMNS = 64;

export class DenseWorker {
  readonly #shared: WebAssembly.Memory;
  readonly #private: PrivateMemory;
  readonly #kernels: DenseExports;
  readonly #dense: DenseProduct;
  /** Entries of the last threshold scan that wait for their places. */
  #kept: { row: number; from: number; to: number }[] = [];
  #keptIndex = new Uint32Array(0);
  #keptValue = new Float32Array(0);

  static async create(shared: WebAssembly.Memory, module: WebAssembly.Module, native: boolean): Promise<DenseWorker> {
    const memory = new PrivateMemory();
    const instance = await WebAssembly.instantiate(module, { env: { memory: memory.memory } });
    const kernels = instance.exports as unknown as DenseExports;
    const ort = native ? await import('onnxruntime-node') : undefined;
    return new DenseWorker(shared, memory, kernels, new DenseProduct(memory.memory, kernels.productTransposed, ort));
  }

  private constructor(shared: WebAssembly.Memory, memory: PrivateMemory, kernels: DenseExports, dense: DenseProduct) {
    this.#shared = shared;
    this.#private = memory;
    this.#kernels = kernels;
    this.#dense = dense;
  }

  /** Who computes the products. */
  get product(): string {
    return this.#dense.name;
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
      case DENSE.scoreHistogram.number:
        return this.#scoreHistogram(a);
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
    const biases = { address: bias, stride: a[13] };
    const n = list ? this.#u32(listed, 1)[0] : width;
    const top = Math.min(k, n);
    if (top === 0) return;
    const selected = TILE.rows * top;
    const regions = this.#plan(d, n, biases, { index: selected, value: selected, scratch: 4 * n });
    const names = list ? this.#u32(list, n) : undefined;
    for await (const [row, count] of this.#scoredBlocks(x, W, biases, rows, width, d, n, names, cursor)) {
      this.#kernels.selectTop(
        regions.scores,
        count,
        n,
        TILE.latents,
        top,
        floor,
        regions.index,
        regions.value,
        regions.scratch,
      );
      const index = this.#private.u32('index', count * top);
      if (names) for (let i = 0; i < index.length; i++) index[i] = names[index[i]];
      this.#u32(indexOut, rows * top).set(index, row * top);
      this.#f32(valueOut, rows * top).set(this.#private.f32('value', count * top), row * top);
    }
  }

  async #score(a: Uint32Array): Promise<void> {
    const [x, W, bias, rows, n, d, cursor] = a;
    const biases = { address: bias, stride: 0 };
    this.#plan(d, n, biases, {});
    const blocks = this.#scoredBlocks(x, W, biases, rows, n, d, n, undefined, cursor);
    while (!(await blocks.next()).done);
  }

  async #scanAtLeast(a: Uint32Array): Promise<void> {
    const [x, W, bias, counts, rows, n, d, cursor] = a;
    // Nothing to scan: what an earlier scan kept stays.
    if (rows === 0) return;
    const floor = this.#f32(addressOf(a, 8), 1)[0];
    const biases = { address: bias, stride: a[9] };
    const most = TILE.rows * n;
    const regions = this.#plan(d, n, biases, { counts: TILE.rows, index: most, value: most });
    this.#kept = [];
    let kept = 0;
    for await (const [row, count] of this.#scoredBlocks(x, W, biases, rows, n, d, n, undefined, cursor)) {
      const { scores, counts: found, index, value } = regions;
      const entries = this.#kernels.selectAtLeast(scores, count, n, TILE.latents, floor, found, index, value);
      this.#u32(counts, rows).set(this.#private.u32('counts', count), row);
      if (kept + entries > this.#keptIndex.length) this.#growKept(kept + entries);
      this.#keptIndex.set(this.#private.u32('index', entries), kept);
      this.#keptValue.set(this.#private.f32('value', entries), kept);
      this.#kept.push({ row, from: kept, to: kept + entries });
      kept += entries;
    }
  }

  #placeAtLeast(indexOut: number, valueOut: number, rowPtr: number): void {
    for (const { row, from, to } of this.#kept) {
      const at = this.#u32(rowPtr + 4 * row, 1)[0];
      this.#u32(indexOut + 4 * at, to - from).set(this.#keptIndex.subarray(from, to));
      this.#f32(valueOut + 4 * at, to - from).set(this.#keptValue.subarray(from, to));
    }
  }

  async #scoreHistogram(a: Uint32Array): Promise<void> {
    const [x, W, bias, bins, rows, n, d, cursor] = a;
    if (rows === 0) return;
    const floor = this.#f32(addressOf(a, 8), 1)[0];
    const biases = { address: bias, stride: 0 };
    const regions = this.#plan(d, n, biases, { bins: BINS.count });
    this.#private.u32('bins', BINS.count).fill(0);
    for await (const [, count] of this.#scoredBlocks(x, W, biases, rows, n, d, n, undefined, cursor))
      this.#kernels.histogram(regions.scores, count * n, floor, BINS.shift, regions.bins);
    const common = this.#u32(bins, BINS.count);
    this.#private.u32('bins', BINS.count).forEach((count, bin) => void (count > 0 && Atomics.add(common, bin, count)));
  }

  async #product(a: Uint32Array): Promise<void> {
    const [out, left, right, m, n, depth, kindNumber, cursor] = a;
    const kind = PRODUCT_KINDS[kindNumber];
    const step = kind === 'tn' ? BLOCK_COLUMNS : TILE.rows;
    const regions = this.#private.plan({ x: step * depth, W: n * depth, scores: step * n });
    let mirrored = false;
    for (let row = this.#next(cursor, step); row < m; row = this.#next(cursor, step)) {
      const count = Math.min(step, m - row);
      if (!mirrored) this.#copyRight(right, n, depth, kind);
      mirrored = true;
      this.#copyLeft(left, row, count, m, depth, kind);
      const operands = { a: regions.x, b: regions.W, bias: 0, biasRows: 0, out: regions.scores };
      await this.#dense.run(operands, count, n, depth, kind);
      this.#f32(out, m * n).set(this.#private.f32('scores', count * n), row * n);
    }
  }

  /** Room for a block of inputs, the mirror of an encoder and a block of scores, and for `more`. */
  #plan<K extends string>(
    d: number,
    n: number,
    biases: Biases,
    more: Record<K, number>,
  ): Record<K | 'x' | 'W' | 'bias' | 'scores', number> {
    const bias = biases.stride ? TILE.rows * n : n;
    return this.#private.plan({ x: TILE.rows * d, W: n * d, bias, scores: TILE.rows * n, ...more });
  }

  /** Takes blocks of rows from the common counter, scores each tile by tile, and yields [first row, number of rows]. */
  async *#scoredBlocks(
    x: number,
    W: number,
    biases: Biases,
    rows: number,
    width: number,
    d: number,
    n: number,
    names: Uint32Array | undefined,
    cursor: number,
  ): AsyncGenerator<[number, number]> {
    const { regions } = this.#private;
    let mirrored = false;
    for (let row = this.#next(cursor, TILE.rows); row < rows; row = this.#next(cursor, TILE.rows)) {
      if (!mirrored) this.#mirror(W, biases, width, d, names);
      mirrored = true;
      const count = Math.min(TILE.rows, rows - row);
      if (biases.stride) this.#tileBiases(biases, row, count, n, names);
      this.#private.f32('x', count * d).set(this.#f32(x + 4 * row * d, count * d));
      for (let from = 0; from < n; from += TILE.latents) {
        const operands = {
          a: regions.x,
          b: regions.W + 4 * from * d,
          bias: biases.address ? regions.bias + 4 * from * (biases.stride ? count : 1) : 0,
          biasRows: biases.stride ? count : 1,
          out: regions.scores + 4 * from * count,
        };
        await this.#dense.run(operands, count, Math.min(TILE.latents, n - from), d, 'nt');
      }
      yield [row, count];
    }
  }

  #mirror(W: number, biases: Biases, width: number, d: number, names: Uint32Array | undefined): void {
    const n = names ? names.length : width;
    const mirror = this.#private.f32('W', n * d);
    const weights = this.#f32(W, width * d);
    if (names) for (let i = 0; i < n; i++) mirror.set(weights.subarray(names[i] * d, (names[i] + 1) * d), i * d);
    else mirror.set(weights);
    if (!biases.address || biases.stride) return;
    const row = this.#f32(biases.address, width);
    const target = this.#private.f32('bias', n);
    if (names) for (let i = 0; i < n; i++) target[i] = row[names[i]];
    else target.set(row);
  }

  /** Brings the biases of a block of rows into the order of the scores: tile after tile, each [count, its width]. */
  #tileBiases(
    { address, stride }: Biases,
    row: number,
    count: number,
    n: number,
    names: Uint32Array | undefined,
  ): void {
    const source = this.#f32(address + 4 * row * stride, count * stride);
    const target = this.#private.f32('bias', count * n);
    let at = 0;
    for (let from = 0; from < n; from += TILE.latents) {
      const to = Math.min(from + TILE.latents, n);
      for (let r = 0; r < count; r++, at += to - from) {
        if (names) for (let i = from; i < to; i++) target[at + i - from] = source[r * stride + names[i]];
        else target.set(source.subarray(r * stride + from, r * stride + to), at);
      }
    }
  }

  #copyRight(right: number, n: number, depth: number, kind: ProductKind): void {
    const source = this.#f32(right, n * depth);
    const target = this.#private.f32('W', n * depth);
    if (kind === 'nt' || !this.#dense.onlyTransposed) target.set(source);
    else for (let p = 0; p < depth; p++) for (let j = 0; j < n; j++) target[j * depth + p] = source[p * n + j];
  }

  #copyLeft(left: number, row: number, count: number, m: number, depth: number, kind: ProductKind): void {
    const target = this.#private.f32('x', count * depth);
    if (kind !== 'tn') {
      target.set(this.#f32(left + 4 * row * depth, count * depth));
      return;
    }
    const source = this.#f32(left, m * depth);
    for (let p = 0; p < depth; p++) {
      const part = source.subarray(p * m + row, p * m + row + count);
      if (!this.#dense.onlyTransposed) target.set(part, p * count);
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

  /** Takes the next block of `step` rows from the counter that the workers share. */
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

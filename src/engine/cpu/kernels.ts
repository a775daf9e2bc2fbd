/** The kernels of `engine/kernels.ts` as commands: argument lists, and temporaries that a command needs. */
import { sizeOf, type Codes, type LatentIndex, type LatentSet, type Tensor } from '../device.ts';
import type { AdamStep, ExpertShape, GradientTarget, Kernels } from '../kernels.ts';
import { PRODUCT_KINDS } from './commands.ts';
import type { CpuDevice } from './device.ts';
import { CpuCodes, CpuTensor } from './tensors.ts';

const on = CpuTensor.of;
const maybe = (tensor: Tensor | null): CpuTensor | null => (tensor ? on(tensor) : null);

/** Number of f32 elements when the queue runs: scratch for codes of open size has none before. */
const lazySize = (tensor: Tensor) => (): number => on(tensor).bytes / 4;

/** Elements of {@link Kernels.innerProduct} that are summed in one piece (kernels/elementwise.ts). */
const PIECE = 4096;

export class CpuKernels implements Kernels {
  readonly #device: CpuDevice;

  constructor(device: CpuDevice) {
    this.#device = device;
  }

  encodeTop(codes: Codes, x: Tensor, W: Tensor, bias: Tensor | null, floor: number): void {
    const own = CpuCodes.of(codes);
    this.#encode(own, x, W, bias, floor, own.perRow!, null);
  }

  encodeTopAmong(
    codes: Codes,
    x: Tensor,
    W: Tensor,
    bias: Tensor | null,
    floor: number,
    k: number,
    among: LatentSet,
  ): void {
    const own = CpuCodes.of(codes);
    const device = this.#device;
    device.emitHost(() => {
      const listed = device.view(among.count)[0];
      const top = Math.min(k, listed);
      own.entries = own.rows * top;
      device.place(own);
      device.fillEvenly(own.rowPtr, top);
    });
    this.#encode(own, x, W, bias, floor, k, among);
  }

  #encode(
    codes: CpuCodes,
    x: Tensor,
    W: Tensor,
    bias: Tensor | null,
    floor: number,
    k: number,
    among: LatentSet | null,
  ): void {
    const [rows, d] = x.shape;
    const outputs = [codes.index, codes.value];
    const set = [maybe(among && among.list), maybe(among && among.count)];
    this.#device.emitDense(
      'encodeTop',
      on(x),
      on(W),
      maybe(bias),
      ...outputs,
      rows,
      codes.width,
      d,
      k,
      ...set,
      this.#cursor(),
      floor,
    );
  }

  encodeAtLeast(codes: Codes, x: Tensor, W: Tensor, bias: Tensor | null, floor: number): void {
    const own = CpuCodes.of(codes);
    const device = this.#device;
    const [rows, d] = x.shape;
    const counts = device.scratch('u32', rows);
    device.emitDense('scanAtLeast', on(x), on(W), maybe(bias), counts, rows, own.width, d, this.#cursor(), floor);
    device.emitHost(() => {
      const rowPtr = device.view(own.rowPtr);
      const found = device.view(counts);
      rowPtr[0] = 0;
      for (let r = 0; r < rows; r++) rowPtr[r + 1] = rowPtr[r] + found[r];
      own.entries = rowPtr[rows];
      device.place(own);
    });
    device.emitDense('placeAtLeast', own.index, own.value, own.rowPtr);
  }

  /** The dense product of {@link encodeTop} alone, its result dropped. For benchmarks. */
  score(x: Tensor, W: Tensor): void {
    const [rows, d] = x.shape;
    this.#device.emitDense('score', on(x), on(W), null, rows, W.shape[0], d, this.#cursor());
  }

  topOfCodes(top: Codes, position: Tensor, codes: Codes): void {
    const own = CpuCodes.of(top);
    const { threads } = this.#device.info;
    const scratchBytes = 8 * codes.width;
    const scratch = this.#device.scratch('f64', threads * codes.width);
    this.#device.emit(
      'topOfCodes',
      own.index,
      own.value,
      on(position),
      on(codes.rowPtr),
      on(codes.index),
      on(codes.value),
      own.rows,
      own.perRow!,
      scratch,
      scratchBytes,
    );
  }

  decode(out: Tensor, codes: Codes, values: Tensor, W: Tensor, base: Tensor | null, block = 1): void {
    const [rows, cols] = out.shape;
    const stride = base && base.shape.length === 2 ? cols : 0;
    this.#device.emit(
      'decode',
      on(out),
      on(codes.rowPtr),
      on(codes.index),
      on(values),
      on(W),
      maybe(base),
      stride,
      rows,
      cols,
      block,
    );
  }

  gatheredDots(
    out: Tensor,
    accumulate: boolean,
    codes: Codes,
    mask: Tensor | null,
    W: Tensor,
    vectors: Tensor,
    block = 1,
  ): void {
    const [rows, cols] = vectors.shape;
    this.#device.emit(
      'gatheredDots',
      on(out),
      Number(accumulate),
      on(codes.rowPtr),
      on(codes.index),
      maybe(mask),
      on(W),
      on(vectors),
      rows,
      cols,
      block,
    );
  }

  indexLatents(index: LatentIndex, codes: Codes): void {
    const cursor = this.#device.scratch('u32', codes.width);
    const latentPtr = on(index.latentPtr);
    this.#device.emit('countLatents', latentPtr, on(codes.index), on(codes.rowPtr), codes.rows, codes.width);
    this.#device.emit('prefixSum', latentPtr, codes.width + 1);
    this.#device.emit(
      'placeEntries',
      latentPtr,
      cursor,
      on(index.entryOf),
      on(index.rowOf),
      on(codes.index),
      on(codes.rowPtr),
      codes.rows,
      codes.width,
    );
  }

  latentGradient(
    out: Tensor,
    accumulate: boolean,
    codes: Codes,
    index: LatentIndex,
    coefficient: Tensor,
    source: Tensor,
    block = 1,
  ): void {
    this.#device.emit(
      'latentGradient',
      on(out),
      Number(accumulate),
      on(index.latentPtr),
      on(index.entryOf),
      on(index.rowOf),
      on(coefficient),
      on(source),
      codes.width,
      source.shape[1],
      block,
    );
  }

  decodeGradients(
    dValues: GradientTarget,
    dW: GradientTarget,
    codes: Codes,
    index: LatentIndex,
    values: Tensor,
    W: Tensor,
    dOut: Tensor,
    block = 1,
  ): void {
    const outputs = [on(dValues.tensor), Number(dValues.accumulate), on(dW.tensor), Number(dW.accumulate)];
    const entries = [on(index.latentPtr), on(index.entryOf), on(index.rowOf), on(values)];
    this.#device.emit('decodeGradients', ...outputs, ...entries, on(W), on(dOut), codes.width, dOut.shape[1], block);
  }

  dotsByLatent(out: Tensor, codes: Codes, index: LatentIndex, W: Tensor, vectors: Tensor, block = 1): void {
    const entries = [on(index.latentPtr), on(index.entryOf), on(index.rowOf)];
    this.#device.emit('dotsByLatent', on(out), ...entries, on(W), on(vectors), codes.width, vectors.shape[1], block);
  }

  latentSum(out: Tensor, accumulate: boolean, codes: Codes, index: LatentIndex, coefficient: Tensor): void {
    this.#device.emit(
      'latentSum',
      on(out),
      Number(accumulate),
      on(index.latentPtr),
      on(index.entryOf),
      on(coefficient),
      codes.width,
    );
  }

  absoluteRowSums(rowSums: Tensor, codes: Codes): void {
    this.#device.emit('absoluteRowSums', on(rowSums), on(codes.rowPtr), on(codes.value), codes.rows);
  }

  absoluteGradient(dValue: Tensor, accumulate: boolean, codes: Codes, scale: number): void {
    this.#device.emit(
      'absoluteGradient',
      on(dValue),
      Number(accumulate),
      on(codes.rowPtr),
      on(codes.value),
      codes.rows,
      scale,
    );
  }

  scatterAdd(out: Tensor, source: Tensor, position: Tensor): void {
    this.#device.emit('scatterAdd', on(out), on(source), on(position), lazySize(position));
  }

  valuesInRange(out: Tensor, codes: Codes, from: number, to: number): void {
    this.#device.emit(
      'valuesInRange',
      on(out),
      on(codes.index),
      on(codes.rowPtr),
      on(codes.value),
      codes.rows,
      from,
      to,
    );
  }

  smallestPositive(rowMin: Tensor, codes: Codes): void {
    this.#device.emit('smallestPositive', on(rowMin), on(codes.rowPtr), on(codes.value), codes.rows);
  }

  countSinceFired(counter: Tensor, codes: Codes, index: LatentIndex, increment: number): void {
    this.#device.emit('countSinceFired', on(counter), on(index.latentPtr), codes.width, increment);
  }

  listAtLeast(set: LatentSet, counter: Tensor, threshold: number): void {
    this.#device.emit('listAtLeast', on(set.list), on(set.count), on(counter), sizeOf(counter.shape), threshold);
  }

  expertsForward(
    out: { c: Tensor; winner: Tensor; sub: Tensor; rowSums: Tensor },
    codes: Codes,
    y: Tensor,
    E: Tensor,
    D: Tensor,
    shape: ExpertShape,
  ): void {
    const { atoms, subspace, theta, slope } = shape;
    const outputs = [on(out.c), on(out.winner), on(out.sub), on(out.rowSums)];
    this.#device.emit(
      'expertsForward',
      ...outputs,
      on(codes.rowPtr),
      on(codes.index),
      on(codes.value),
      on(y),
      on(E),
      on(D),
      codes.rows,
      atoms,
      subspace,
      theta,
      slope,
    );
  }

  expertsBackward(
    out: { dY: Tensor; dE: Tensor; dD: Tensor; accumulate: boolean },
    codes: Codes,
    index: LatentIndex,
    saved: { winner: Tensor; sub: Tensor; y: Tensor; dC: Tensor },
    E: Tensor,
    D: Tensor,
    shape: ExpertShape,
    l1: number,
  ): void {
    const { atoms, subspace, theta, slope } = shape;
    const outputs = [on(out.dY), on(out.dE), on(out.dD), Number(out.accumulate)];
    const inputs = [
      on(saved.dC),
      on(saved.winner),
      on(saved.sub),
      on(index.latentPtr),
      on(index.entryOf),
      on(codes.value),
      on(saved.y),
      on(E),
      on(D),
    ];
    this.#device.emit('expertsBackward', ...outputs, ...inputs, codes.width, atoms, subspace, theta, slope, l1);
  }

  joinExperts(out: Codes, top: Codes, winner: Tensor, sub: Tensor, atoms: number): void {
    this.#device.emit(
      'joinExperts',
      on(out.index),
      on(out.value),
      on(top.index),
      on(top.value),
      on(winner),
      on(sub),
      top.rows,
      top.perRow!,
      top.width,
      atoms,
    );
  }

  product(out: Tensor, a: Tensor, b: Tensor, kind: 'nt' | 'nn' | 'tn'): void {
    const [m, n] = out.shape;
    const depth = kind === 'tn' ? a.shape[0] : a.shape[1];
    this.#device.emitDense('product', on(out), on(a), on(b), m, n, depth, PRODUCT_KINDS.indexOf(kind), this.#cursor());
  }

  subtractRow(out: Tensor, x: Tensor, row: Tensor): void {
    const [rows, cols] = x.shape;
    this.#device.emit('subtractRow', on(out), on(x), on(row), rows, cols);
  }

  scale(out: Tensor, accumulate: boolean, a: Tensor, scale: number): void {
    this.#device.emit('scale', on(out), Number(accumulate), on(a), lazySize(a), scale);
  }

  clear(out: Tensor): void {
    const own = on(out);
    this.#device.emit('clear', own, () => own.bytes);
  }

  place(out: Tensor, at: number, a: Tensor): void {
    this.#device.emit('place', on(out), at, on(a), sizeOf(a.shape));
  }

  squaredDifference(difference: Tensor, rowSums: Tensor, a: Tensor, b: Tensor | null): void {
    const [rows, cols] = a.shape;
    this.#device.emit('squaredDifference', on(difference), on(rowSums), on(a), maybe(b), rows, cols);
  }

  sum(out: Tensor, values: Tensor, scale: number): void {
    this.#device.emit('sum', on(out), on(values), sizeOf(values.shape), scale);
  }

  innerProduct(out: Tensor, a: Tensor, b: Tensor): void {
    const own = on(a);
    if (own.offset === CpuTensor.UNRESOLVED) throw new Error('innerProduct: the size of the tensor is not known yet');
    const n = own.bytes / 4;
    const pieces = this.#device.scratch('f64', Math.ceil(n / PIECE));
    this.#device.emit('innerProduct', pieces, own, on(b), n);
    this.sum(out, pieces, 1);
  }

  maximum(out: Tensor, a: Tensor): void {
    this.#device.emit('maximum', on(out), on(a), sizeOf(a.shape));
  }

  divide(out: Tensor, a: Tensor, b: Tensor): void {
    this.#device.emit('divide', on(out), on(a), on(b));
  }

  rootOfSum(out: Tensor, terms: readonly { term: Tensor; weight: number }[], scale: number): void {
    // Missing terms repeat the first one with weight 0.
    const padded = [0, 1, 2].map((i) => terms[i] ?? { term: terms[0].term, weight: 0 });
    this.#device.emit(
      'rootOfSum',
      on(out),
      ...padded.map(({ term }) => on(term)),
      ...padded.map(({ weight }) => weight),
      scale,
    );
  }

  scaleBy(out: Tensor, accumulate: boolean, a: Tensor, scale: number, divisor: Tensor): void {
    this.#device.emit('scaleBy', on(out), Number(accumulate), on(a), lazySize(a), on(divisor), scale);
  }

  columnSum(out: Tensor, accumulate: boolean, a: Tensor, weights: Tensor | null, scale: number): void {
    const [rows, cols] = a.shape;
    this.#device.emit('columnSum', on(out), Number(accumulate), on(a), maybe(weights), rows, cols, scale);
  }

  rowDots(out: Tensor, a: Tensor, b: Tensor): void {
    const [rows, cols] = a.shape;
    this.#device.emit('rowDots', on(out), on(a), on(b), b.shape.length === 1 ? 0 : cols, rows, cols);
  }

  scaleRows(out: Tensor, accumulate: boolean, weights: Tensor | null, a: Tensor, scale: number): void {
    const [rows, cols] = out.shape;
    this.#device.emit(
      'scaleRows',
      on(out),
      Number(accumulate),
      maybe(weights),
      on(a),
      a.shape.length === 1 ? 0 : cols,
      rows,
      cols,
      scale,
    );
  }

  projectRows(gradient: Tensor, square: Tensor, W: Tensor, epsilon: number): void {
    const cols = W.shape[W.shape.length - 1];
    const rows = sizeOf(W.shape) / cols;
    const squares = this.#device.scratch('f64', rows);
    this.#device.emit('projectRows', on(gradient), squares, on(W), rows, cols, epsilon);
    this.sum(square, squares, 1);
  }

  normalizeRows(W: Tensor, epsilon: number): void {
    const cols = W.shape[W.shape.length - 1];
    this.#device.emit('normalizeRows', on(W), sizeOf(W.shape) / cols, cols, epsilon);
  }

  normalizeRowsGradient(dW: Tensor, accumulate: boolean, dU: Tensor, W: Tensor, epsilon: number): void {
    const [rows, cols] = W.shape;
    this.#device.emit('normalizeRowsGradient', on(dW), Number(accumulate), on(dU), on(W), rows, cols, epsilon);
  }

  adam(
    parameter: Tensor,
    gradient: Tensor,
    m: Tensor,
    v: Tensor,
    step: AdamStep,
    unitRows?: { epsilon: number },
  ): void {
    const { gradientScale, beta1, beta2, stepSize, correction, epsilon, decay } = step;
    const constants = [gradientScale, beta1, 1 - beta1, beta2, 1 - beta2, stepSize, correction, epsilon, decay];
    const cols = parameter.shape[parameter.shape.length - 1];
    const rows = sizeOf(parameter.shape) / cols;
    const arrays = [on(parameter), on(gradient), on(m), on(v)];
    const unit = [unitRows ? 1 : 0, unitRows?.epsilon ?? 0];
    this.#device.emit('adam', ...arrays, rows, cols, ...constants, ...unit);
  }

  /** A counter from which the workers take blocks of rows. */
  #cursor(): CpuTensor {
    const cursor = this.#device.scratch('u32', 1);
    this.#device.view(cursor)[0] = 0;
    return cursor;
  }
}

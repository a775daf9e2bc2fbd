/** Dense rows, flat arrays and scalars. */
import { sizeOf } from '../../device.ts';
import type { DenseKernels } from '../../kernels.ts';
import { PRODUCT_KINDS } from '../commands.ts';
import type { CpuDevice } from '../device.ts';
import { CpuTensor } from '../tensors.ts';
import { lazySize, maybe, on, recordSum, takeCursor } from './arguments.ts';

/** Elements of `innerProduct` that are summed in one piece (kernels/elementwise.ts). */
const PIECE = 4096;

export function denseKernels(
  device: CpuDevice,
): DenseKernels {
  return {
    product(out, a, b, kind) {
      const [m, n] = out.shape;
      const depth = kind === 'tn' ? a.shape[0] : a.shape[1];
      device.emitDense('product', on(out), on(a), on(b), m, n, depth, PRODUCT_KINDS.indexOf(kind), takeCursor(device));
    },
    subtractRow(out, x, row) {
      const [rows, cols] = x.shape;
      device.emit('subtractRow', on(out), on(x), on(row), rows, cols);
    },
    scale(out, accumulate, a, scale) {
      device.emit('scale', on(out), Number(accumulate), on(a), lazySize(a), scale);
    },
    clear(out) {
      const own = on(out);
      device.emit('clear', own, () => own.bytes);
    },
    place(out, at, a) {
      device.emit('place', on(out), at, on(a), sizeOf(a.shape));
    },
    squaredDifference(difference, rowSums, a, b) {
      const [rows, cols] = a.shape;
      device.emit('squaredDifference', on(difference), on(rowSums), on(a), maybe(b), rows, cols);
    },
    sum(out, values, scale) {
      device.emit('sum', on(out), on(values), sizeOf(values.shape), scale);
    },
    innerProduct(out, a, b) {
      const own = on(a);
      if (own.offset === CpuTensor.UNRESOLVED) throw new Error('innerProduct: the size of the tensor is not known yet');
      const n = own.bytes / 4;
      const pieces = device.scratch('f64', Math.ceil(n / PIECE));
      device.emit('innerProduct', pieces, own, on(b), n);
      recordSum(device, out, pieces, 1);
    },
    maximum(out, a) {
      device.emit('maximum', on(out), on(a), sizeOf(a.shape));
    },
    divide(out, a, b) {
      device.emit('divide', on(out), on(a), on(b));
    },
    clampedRatio(out, a, b, scale, low, high) {
      device.emit('clampedRatio', on(out), on(a), maybe(b), scale, low, high);
    },
    rootOfSum(out, terms, scale) {
      // Missing terms repeat the first one with weight 0.
      const padded = [0, 1, 2].map((i) => terms[i] ?? { term: terms[0].term, weight: 0 });
      device.emit(
        'rootOfSum',
        on(out),
        ...padded.map(({ term }) => on(term)),
        ...padded.map(({ weight }) => weight),
        scale,
      );
    },
    scaleBy(out, accumulate, a, scale, divisor) {
      device.emit('scaleBy', on(out), Number(accumulate), on(a), lazySize(a), on(divisor), scale);
    },
    columnSum(out, accumulate, a, weights, scale) {
      const [rows, cols] = a.shape;
      device.emit('columnSum', on(out), Number(accumulate), on(a), maybe(weights), rows, cols, scale);
    },
    rowDots(out, a, b) {
      const [rows, cols] = a.shape;
      device.emit('rowDots', on(out), on(a), on(b), b.shape.length === 1 ? 0 : cols, rows, cols);
    },
    scaleRows(out, accumulate, weights, a, scale) {
      const [rows, cols] = out.shape;
      device.emit(
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
    },
  };
}

/** Codes with matrices, sums over entries, and the bookkeeping of latents. */
import { sizeOf, type Codes } from '../../device.ts';
import type { CodesKernels, LatentRange } from '../../kernels.ts';
import type { CpuDevice } from '../device.ts';
import { lazySize, maybe, on } from './arguments.ts';

/** The range of all latents. */
const all = (codes: Codes): LatentRange => ({ from: 0, to: codes.width });

export function codesKernels(
  device: CpuDevice,
): CodesKernels {
  return {
    decode(out, codes, values, W, base, block = 1, { from, to } = all(codes)) {
      const [rows, cols] = out.shape;
      const stride = base && base.shape.length === 2 ? cols : 0;
      device.emit(
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
        from,
        to,
      );
    },
    gatheredDots(out, accumulate, codes, mask, W, vectors, block = 1, { from, to } = all(codes)) {
      const [rows, cols] = vectors.shape;
      device.emit(
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
        from,
        to,
      );
    },
    indexLatents(index, codes) {
      const cursor = device.scratch('u32', codes.width);
      const latentPtr = on(index.latentPtr);
      device.emit('countLatents', latentPtr, on(codes.index), on(codes.rowPtr), codes.rows, codes.width);
      device.emit('prefixSum', latentPtr, codes.width + 1);
      device.emit(
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
    },
    latentGradient(out, accumulate, codes, index, coefficient, source, block = 1, { from, to } = all(codes)) {
      device.emit(
        'latentGradient',
        on(out),
        Number(accumulate),
        on(index.latentPtr),
        on(index.entryOf),
        on(index.rowOf),
        on(coefficient),
        on(source),
        from,
        to,
        source.shape[1],
        block,
      );
    },
    decodeGradients(
      dValues,
      dW,
      codes,
      index,
      values,
      W,
      dOut,
      block = 1,
      { from, to } = all(codes),
      mask = block === 1 ? values : null,
    ) {
      const outputs = [on(dValues.tensor), Number(dValues.accumulate), on(dW.tensor), Number(dW.accumulate)];
      const entries = [on(index.latentPtr), on(index.entryOf), on(index.rowOf), on(values), maybe(mask)];
      device.emit('decodeGradients', ...outputs, ...entries, on(W), on(dOut), from, to, dOut.shape[1], block);
    },
    dotsByLatent(out, codes, index, W, vectors, block = 1) {
      const entries = [on(index.latentPtr), on(index.entryOf), on(index.rowOf)];
      device.emit('dotsByLatent', on(out), ...entries, on(W), on(vectors), codes.width, vectors.shape[1], block);
    },
    latentSum(out, accumulate, codes, index, coefficient) {
      device.emit(
        'latentSum',
        on(out),
        Number(accumulate),
        on(index.latentPtr),
        on(index.entryOf),
        on(coefficient),
        codes.width,
      );
    },
    absoluteRowSums(rowSums, codes) {
      device.emit('absoluteRowSums', on(rowSums), on(codes.rowPtr), on(codes.value), codes.rows);
    },
    absoluteGradient(dValue, accumulate, codes, scale) {
      device.emit(
        'absoluteGradient',
        on(dValue),
        Number(accumulate),
        on(codes.rowPtr),
        on(codes.value),
        codes.rows,
        scale,
      );
    },
    scatterAdd(out, source, position) {
      device.emit('scatterAdd', on(out), on(source), on(position), lazySize(position));
    },
    smallestPositive(rowMin, codes) {
      device.emit('smallestPositive', on(rowMin), on(codes.rowPtr), on(codes.value), codes.rows);
    },
    countSinceFired(counter, codes, index, increment, above = -Infinity) {
      const entries = [on(index.latentPtr), on(index.entryOf), on(codes.value)];
      device.emit('countSinceFired', on(counter), ...entries, codes.width, increment, above);
    },
    listAtLeast(set, counter, threshold) {
      device.emit('listAtLeast', on(set.list), on(set.count), on(counter), sizeOf(counter.shape), threshold);
    },
  };
}

/** Thresholds that are learned straight through, and arithmetic on entries. */
import { sizeOf, type Codes, type LatentIndex } from '../../device.ts';
import type { JumpKernels } from '../../kernels.ts';
import type { CpuDevice } from '../device.ts';
import type { CpuTensor } from '../tensors.ts';
import { lazySize, maybe, on } from './arguments.ts';

const rowsOf = (codes: Codes): CpuTensor[] => [on(codes.rowPtr), on(codes.index), on(codes.value)];
const latentsOf = (index: LatentIndex): CpuTensor[] => [on(index.latentPtr), on(index.entryOf)];

export function jumpKernels(device: CpuDevice): JumpKernels {
  return {
    liftBias(out, bias, threshold, offset) {
      device.emit('liftBias', on(out), maybe(bias), on(threshold), sizeOf(threshold.shape), offset);
    },
    jump(out, codes, lifted, bias, threshold) {
      const thresholds = [on(lifted), maybe(bias), on(threshold)];
      device.emit('jump', on(out.z), on(out.value), ...rowsOf(codes), ...thresholds, codes.rows);
    },
    windowSum({ tensor, accumulate }, index, { z, threshold, bandwidth }, weight, scale) {
      const inputs = [...latentsOf(index), on(z), on(threshold), on(weight)];
      const width = sizeOf(threshold.shape);
      device.emit('windowSum', on(tensor), Number(accumulate), ...inputs, width, bandwidth, scale);
    },
    windowCount({ tensor, accumulate }, index, { z, threshold, bandwidth }, { scale, factor, inactiveOf, range }) {
      const { from, to } = range ?? { from: 0, to: sizeOf(threshold.shape) };
      device.emit(
        'windowCount',
        on(tensor),
        Number(accumulate),
        ...latentsOf(index),
        on(z),
        on(threshold),
        maybe(factor ?? null),
        inactiveOf ?? 0,
        Number(inactiveOf !== undefined),
        from,
        to,
        bandwidth,
        scale,
      );
    },
    countActive(rowSums, codes, { from, to } = { from: 0, to: codes.width }) {
      device.emit('countActive', on(rowSums), ...rowsOf(codes), codes.rows, from, to);
    },
    squaredExcess({ excess, square }, a, target) {
      device.emit('squaredExcess', on(excess), on(square), on(a), target);
    },
    thresholdGap(out, codes, threshold) {
      device.emit('thresholdGap', on(out), ...rowsOf(codes), on(threshold), codes.rows);
    },
    spreadLatents(out, codes, factor) {
      device.emit('spreadLatents', on(out), on(codes.rowPtr), on(codes.index), on(factor), codes.rows);
    },
    exponential(out, a) {
      device.emit('exponential', on(out), on(a), lazySize(a));
    },
    rectify(out, a) {
      device.emit('rectify', on(out), on(a), lazySize(a));
    },
    multiply(out, accumulate, a, b) {
      device.emit('multiply', on(out), Number(accumulate), on(a), on(b), lazySize(a));
    },
    scaleWhere(out, accumulate, a, mask, scale) {
      device.emit('scaleWhere', on(out), Number(accumulate), on(a), on(mask), lazySize(mask), scale);
    },
    ghostError({ gradient, rowSums }, ghost, residual) {
      const [rows, cols] = residual.shape;
      device.emit('ghostError', on(gradient), on(rowSums), on(ghost), on(residual), rows, cols);
    },
  };
}

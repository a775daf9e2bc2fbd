/** Encoding: the dense commands, and what the host does between them once it knows how many entries there are. */
import type { LatentSet, Tensor } from '../../device.ts';
import type { EncodingKernels } from '../../kernels.ts';
import type { CpuDevice } from '../device.ts';
import { CpuCodes } from '../tensors.ts';
import { maybe, on, takeCursor } from './arguments.ts';

export type CpuEncodingKernels = EncodingKernels & {
  /** The dense product of encodeTop alone, its result dropped. For benchmarks. */
  score(x: Tensor, W: Tensor): void;
};

export function encodingKernels(device: CpuDevice): CpuEncodingKernels {
  return {
    encodeTop(codes, x, W, bias, floor) {
      const own = CpuCodes.of(codes);
      encode(device, own, x, W, bias, floor, own.perRow!, null);
    },
    encodeTopAmong(codes, x, W, bias, floor, k, among) {
      const own = CpuCodes.of(codes);
      device.emitHost(() => {
        const listed = device.view(among.count)[0];
        const top = Math.min(k, listed);
        device.place(own, own.rows * top);
        device.fillEvenly(own.rowPtr, top);
      });
      encode(device, own, x, W, bias, floor, k, among);
    },
    encodeAtLeast(codes, x, W, bias, floor) {
      const own = CpuCodes.of(codes);
      const [rows, d] = x.shape;
      const counts = device.scratch('u32', rows);
      const inputs = [on(x), on(W), maybe(bias)];
      const cursor = takeCursor(device);
      device.emitDense('scanAtLeast', ...inputs, counts, rows, own.width, d, cursor, floor, strideOf(bias));
      device.emitHost(() => {
        const rowPtr = device.view(own.rowPtr);
        const found = device.view(counts);
        rowPtr[0] = 0;
        for (let r = 0; r < rows; r++) rowPtr[r + 1] = rowPtr[r] + found[r];
        device.place(own, rowPtr[rows]);
      });
      device.emitDense('placeAtLeast', own.index, own.value, own.rowPtr);
    },
    /** The dense product of {@link encodeTop} alone, its result dropped. For benchmarks. */
    score(x, W) {
      const [rows, d] = x.shape;
      device.emitDense('score', on(x), on(W), null, rows, W.shape[0], d, takeCursor(device));
    },
    topOfCodes(top, position, codes) {
      const own = CpuCodes.of(top);
      const { threads } = device.info;
      const scratchBytes = 8 * codes.width;
      const scratch = device.scratch('f64', threads * codes.width);
      device.emit(
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
    },
  };
}

function encode(
  device: CpuDevice,
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
  device.emitDense(
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
    takeCursor(device),
    floor,
    strideOf(bias),
  );
}

/** Elements from one row's biases to the next one's. */
const strideOf = (bias: Tensor | null): number => (bias?.shape.length === 2 ? bias.shape[1] : 0);

/**
 * Selection over a whole batch. Scores are never kept, so the floor that lets the `total` largest through has to be known before
 * the scan: it is guessed from the call before, and where there is no guess or it was too high, a histogram of the scores finds
 * it. The guess changes the time of a call, never its result.
 */
import { sizeOf, type Tensor } from '../../device.ts';
import type { BatchTopKernels } from '../../kernels.ts';
import { BINS } from '../commands.ts';
import type { CpuDevice } from '../device.ts';
import { CpuCodes, type CpuTensor } from '../tensors.ts';
import { maybe, on, takeCursor } from './arguments.ts';

/** Share of the last selection's smallest value that the next scan starts from: batches differ by less. */
const MARGIN = 0.9;

export function batchTopKernels(device: CpuDevice): BatchTopKernels {
  /** Floor to start from, by encoder. */
  const guesses = new WeakMap<Tensor, number>();

  return {
    encodeBatchTop(codes, x, W, bias, floor, total) {
      const own = CpuCodes.of(codes);
      const [rows, d] = x.shape;
      const found = device.scratchCodes(rows, own.width);
      const bins = device.scratch('u32', BINS.count);
      const counts = device.scratch('u32', rows);
      // The product of a scan that is not needed has no rows.
      let start = Infinity;
      let again = false;
      const scan = (wanted: () => boolean): void => {
        const size = () => (wanted() ? rows : 0);
        const inputs = [on(x), on(W), maybe(bias)];
        device.emitDense('scanAtLeast', ...inputs, counts, size, own.width, d, takeCursor(device), () => start, 0);
      };

      device.emitHost(() => {
        start = Math.max(floor, guesses.get(W) ?? Infinity);
        device.view(counts).fill(0);
      });
      scan(() => start < Infinity);
      device.emitHost(() => {
        again = start > floor && sum(device.view(counts)) < total;
        if (again) device.view(bins).fill(0);
      });
      const inputs = [on(x), on(W), maybe(bias)];
      const size = () => (again ? rows : 0);
      device.emitDense('scoreHistogram', ...inputs, bins, size, own.width, d, takeCursor(device), floor);
      device.emitHost(() => {
        if (again) start = Math.max(floor, floorOf(device.view(bins), total));
      });
      scan(() => again);
      device.emitHost(() => {
        const rowPtr = device.view(found.rowPtr);
        rowPtr[0] = 0;
        device.view(counts).forEach((count, r) => (rowPtr[r + 1] = rowPtr[r] + count));
        device.place(found, rowPtr[rows]);
        device.place(own, Math.min(total, rowPtr[rows]));
      });
      device.emitDense('placeAtLeast', found.index, found.value, found.rowPtr);
      select(own, found, total, (smallest) => {
        if (smallest > 0) guesses.set(W, MARGIN * smallest);
        else guesses.delete(W);
      });
    },
    leastPositive(out, values) {
      device.emit('leastPositive', on(out), on(values), sizeOf(values.shape));
    },
    setSize(out, set) {
      device.emit('setSize', on(out), on(set.count));
    },
  };

  /** codes = the `total` largest entries of `found`; `seen` gets the smallest of them, 0 where all were taken. */
  function select(codes: CpuCodes, found: CpuCodes, total: number, seen: (smallest: number) => void): void {
    const least = device.scratch('u32', 2);
    const keys: CpuTensor = device.scratchLike(found, 'f64');
    const { rows, rowPtr, index, value } = found;
    device.emit('batchLeast', least, keys, value, rowPtr, rows, total);
    device.emit('countBatchTop', codes.rowPtr, least, rowPtr, value, rows);
    device.emit('prefixSum', codes.rowPtr, rows + 1);
    device.emit('placeBatchTop', codes.index, codes.value, codes.rowPtr, least, rowPtr, index, value, rows);
    device.emitHost(() => seen(valueOf(device.view(least)[1])));
  }
}

function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i];
  return total;
}

/** The largest lower edge of a bin with at least `total` scores from there on, 0 if there are fewer. */
function floorOf(bins: ArrayLike<number>, total: number): number {
  let [bin, count] = [bins.length, 0];
  while (bin > 0 && count < total) count += bins[--bin];
  return valueOf(bin << BINS.shift);
}

/** The float32 with these bits. */
function valueOf(bits: number): number {
  return new Float32Array(Uint32Array.of(bits).buffer)[0];
}

/** Routing each row to one expert. */
import type { RoutingKernels } from '../../kernels.ts';
import type { CpuDevice } from '../device.ts';
import { maybe, on } from './arguments.ts';

export function routingKernels(device: CpuDevice): RoutingKernels {
  return {
    route({ p, codes, chosen }, logits) {
      const [rows, n] = logits.shape;
      device.emit('route', on(p), on(codes.index), on(codes.value), on(chosen), on(logits), rows, n);
    },
    routeGradient(dLogits, p, codes, dChosen, dEvery) {
      const [rows, n] = p.shape;
      device.emit('routeGradient', on(dLogits), on(p), on(codes.index), maybe(dChosen), on(dEvery), rows, n);
    },
    scaleEntries(out, accumulate, codes, values, factor) {
      device.emit('scaleEntries', on(out), Number(accumulate), on(codes.rowPtr), on(values), on(factor), codes.rows);
    },
    entryDots(out, accumulate, codes, a, b) {
      device.emit('entryDots', on(out), Number(accumulate), on(codes.rowPtr), on(a), on(b), codes.rows);
    },
  };
}

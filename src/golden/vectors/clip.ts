/** Clipping by global norm: the optimiser's norm, and its factor on the gradients. */
import { z } from 'zod';
import { sizeOf, type Device, type Tensor } from '../../engine/device.ts';
import { clipFactor, Optimizer } from '../../engine/optim.ts';
import { Tape } from '../../engine/tape.ts';
import { readJson } from '../fixture.ts';
import type { Report } from '../report.ts';

const gradients = z.tuple([z.array(z.array(z.number())), z.array(z.number())]);
const schema = z.object({
  cases: z.array(
    z.object({
      max_norm: z.number(),
      grads: gradients,
      norm: z.number(),
      clipped_torch: gradients,
      clipped_optax: gradients,
    }),
  ),
});

const TOLERANCE = 2e-6;

export async function runClip(device: Device, path: string, report: Report): Promise<void> {
  for (const [i, vectors] of readJson(path, schema).cases.entries()) {
    const { max_norm: maxNorm, grads, norm } = vectors;
    const shapes = [[grads[0].length, grads[0][0].length], [grads[1].length]];
    const parameters = shapes.map((shape, p) => ({
      name: String(p),
      tensor: device.persistent('f32', ...shape),
      unitRows: false,
    }));
    const optimizer = new Optimizer(device, parameters, {
      stages: [{ kind: 'clip', maxNorm, style: 'torch' }, { kind: 'adam' }],
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      weightDecay: 0,
      learningRate: () => 0,
    });
    device.beginStep();
    for (const [p, gradient] of grads.entries()) device.write(optimizer.gradients[p], gradient.flat());
    let square = 0;
    for (const part of optimizer.prepare(new Tape(device))) square += (await device.read(part))[0];
    report.compare(`case ${i}: norm`, Math.sqrt(square), norm, { rel: TOLERANCE });
    for (const style of ['torch', 'optax'] as const) {
      const factor = clipFactor({ maxNorm, style }, Math.sqrt(square));
      for (const [p, clipped] of vectors[`clipped_${style}`].entries()) {
        const scaled = device.scratch('f32', sizeOf(shapes[p]));
        device.kernels.scale(scaled, false, optimizer.gradients[p], factor);
        const actual = await device.read(scaled as Tensor & { dtype: 'f32' });
        report.compare(`case ${i}: clipped_${style}[${p}]`, actual, clipped.flat(), { rel: TOLERANCE });
      }
    }
  }
}

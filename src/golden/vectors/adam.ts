/** Adam and AdamW through the optimiser, one parameter at a time. */
import { z } from 'zod';
import type { Device, Tensor } from '../../engine/device.ts';
import { Optimizer } from '../../engine/optim.ts';
import { readJson } from '../fixture.ts';
import type { Report } from '../report.ts';

const numbers = z.array(z.number());
const schema = z.object({
  tolerance: z.object({ relative_to_update: z.number().positive() }),
  cases: z.array(
    z.object({
      name: z.string(),
      optimizer: z.enum(['Adam', 'AdamW']),
      betas: z.tuple([z.number(), z.number()]),
      eps: z.number(),
      weight_decay: z.number().default(0),
      param0: numbers,
      lr: numbers,
      grads: z.array(numbers),
      states: z.array(z.object({ param: numbers, m: numbers, v: numbers })),
    }),
  ),
});

type Case = z.output<typeof schema>['cases'][number];

/** Half a unit in the last place of a float32, relative. */
const ROUNDING = 2 ** -24;

export async function runAdam(device: Device, path: string, report: Report): Promise<void> {
  const { tolerance, cases } = readJson(path, schema);
  for (const vectors of cases) await runCase(device, vectors, tolerance.relative_to_update, report);
}

async function runCase(device: Device, vectors: Case, relative: number, report: Report): Promise<void> {
  const { name, optimizer: kind, betas, eps, weight_decay: weightDecay, param0, lr, grads, states } = vectors;
  const tensor = device.persistent('f32', param0.length);
  device.write(tensor, param0);
  const optimizer = new Optimizer(device, [{ name: 'p', tensor, unitRows: false }], {
    stages: [{ kind: 'adam' }],
    beta1: betas[0],
    beta2: betas[1],
    epsilon: eps,
    weightDecay,
    decayStyle: kind === 'AdamW' ? 'decoupled' : 'coupled',
    learningRate: (step) => lr[step],
  });
  // Parameters and moments are kept as float32: every step may round them once, whatever the size of the update.
  const bounds = { param: param0.map(() => 0), m: param0.map(() => 0), v: param0.map(() => 0) };
  for (const [step, gradient] of grads.entries()) {
    device.write(optimizer.gradients.p, gradient);
    optimizer.apply(step, [0]);
    const before = step === 0 ? { param: param0, m: param0.map(() => 0), v: param0.map(() => 0) } : states[step - 1];
    for (const [key, ours] of [
      ['param', tensor],
      ['m', optimizer.state['adam_m.p']],
      ['v', optimizer.state['adam_v.p']],
    ] as const) {
      const stored = states[step][key];
      bounds[key] = bounds[key].map((bound, i) => {
        const update = Math.abs(stored[i] - before[key][i]);
        return bound + relative * update + 2 * ROUNDING * Math.max(Math.abs(stored[i]), Math.abs(before[key][i]));
      });
      const actual = await device.read(ours as Tensor & { dtype: 'f32' });
      const note = `${relative.toExponential(1)} of the updates + float32 rounding`;
      report.compare(`${name}, step ${step + 1}: ${key}`, actual, stored, { each: bounds[key], note });
    }
  }
}

/** Straight-through thresholds: values and gradients of single scores, by bandwidth. Needs window tests that are exact on the edges. */
import { z } from 'zod';
import { codesToDense } from '../../core/codes.ts';
import { readCodes, type Device, type Tensor } from '../../engine/device.ts';
import { jumpReLU, l0Loss } from '../../engine/ops/jump-relu.ts';
import { Tape } from '../../engine/tape.ts';
import { readJson } from '../fixture.ts';
import type { Report } from '../report.ts';

const COLUMNS = [
  'z',
  'threshold',
  'bandwidth',
  'grad_output',
  'jumprelu',
  'd_z',
  'd_threshold',
  'step',
  'step_d_z',
  'step_d_threshold',
] as const;
type Column = (typeof COLUMNS)[number];

const schema = z.object({
  columns: z.tuple(COLUMNS.map((name) => z.literal(name)) as [z.ZodLiteral<string>, ...z.ZodLiteral<string>[]]),
  rows: z.array(z.array(z.number()).length(COLUMNS.length)),
});

const TOLERANCE = { abs: 2e-6 };

const column = (row: readonly number[], name: Column): number => row[COLUMNS.indexOf(name)];

export async function runJumpreluSte(device: Device, path: string, report: Report): Promise<void> {
  const { rows } = readJson(path, schema);
  for (const bandwidth of new Set(rows.map((row) => column(row, 'bandwidth')))) {
    const group = rows.filter((row) => column(row, 'bandwidth') === bandwidth);
    const of = (name: Column): number[] => group.map((row) => column(row, name));
    const label = (name: Column): string => `bandwidth ${bandwidth}: ${name}`;
    const width = group.length;
    device.beginStep();
    const put = (values: readonly number[], ...shape: number[]): Tensor => {
      const tensor = device.scratch('f32', ...shape);
      device.write(tensor, values);
      return tensor as Tensor & { dtype: 'f32' };
    };
    // Latent i scores z_i on the only input, 1.
    const [W, x, threshold] = [put(of('z'), width, 1), put([1], 1, 1), put(of('threshold'), width)];
    const upstream = put(of('grad_output'), width);
    const [dW, dThreshold, dCount] = [
      device.scratch('f32', width, 1),
      device.scratch('f32', width),
      device.scratch('f32', width),
    ];

    const tape = new Tape(device);
    tape.watch(W, dW);
    tape.watch(threshold, dThreshold);
    const { codes } = jumpReLU(tape, x, { W, bias: null, center: null }, threshold, bandwidth);
    const given = tape.slotForValues(codes)!;
    device.kernels.spreadLatents(given.tensor, codes, upstream);
    tape.backward([]);
    const dense = codesToDense(await readCodes(device, codes));
    report.compare(label('jumprelu'), dense, of('jumprelu'), TOLERANCE);
    const step = dense.map((value) => Number(value !== 0));
    report.compare(label('step'), step, of('step'), 'exact');
    report.compare(label('d_z'), await read(dW), of('d_z'), TOLERANCE);
    report.compare(label('d_threshold'), await read(dThreshold), of('d_threshold'), { rel: 1e-6 });

    // L0 weighs all latents alike: the gradient of each is compared with its own weight taken out.
    const counting = new Tape(device);
    counting.watch(threshold, dCount);
    const jump = jumpReLU(counting, x, { W, bias: null, center: null }, threshold, bandwidth);
    const { loss } = l0Loss(counting, jump, { window: 'pre' });
    counting.backward([{ value: loss, weight: 1 }]);
    const count = await read(dCount);
    report.compare(
      label('step_d_threshold'),
      of('grad_output').map((weight, i) => weight * count[i]),
      of('step_d_threshold'),
      { rel: 1e-6 },
    );
    report.skip(label('step_d_z'), 'always 0: nothing flows from L0 to scores');
  }

  function read(tensor: Tensor): Promise<Float32Array> {
    return device.read(tensor as Tensor & { dtype: 'f32' });
  }
}

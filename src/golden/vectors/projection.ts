/** Projection of a decoder's gradient and its unit rows. Columns of the fixture are rows here. */
import { z } from 'zod';
import type { Device, Tensor } from '../../engine/device.ts';
import { readJson } from '../fixture.ts';
import type { Report } from '../report.ts';

const matrix = z.array(z.array(z.number())).min(1);
const schema = z.object({ W: matrix, grad: matrix, W_unit: matrix, unit: matrix, eps: matrix, raw: matrix });

const TOLERANCE = { abs: 2e-6 };

export async function runProjection(device: Device, path: string, report: Report): Promise<void> {
  const vectors = readJson(path, schema);
  const filled = (columns: readonly number[][]): Tensor & { dtype: 'f32' } => {
    const tensor = device.scratch('f32', columns[0].length, columns.length);
    device.write(tensor, rows(columns));
    return tensor as Tensor & { dtype: 'f32' };
  };
  device.beginStep();
  const unit = filled(vectors.W);
  device.kernels.normalizeRows(unit, 0);
  report.compare('W_unit', await device.read(unit), rows(vectors.W_unit), TOLERANCE);
  for (const [name, epsilon] of [
    ['unit', 0],
    ['eps', 1e-6],
    ['raw', 'raw'],
  ] as const) {
    const [gradient, W] = [filled(vectors.grad), filled(vectors.W)];
    device.kernels.projectRows(gradient, device.persistent('f64', 1), W, epsilon);
    report.compare(name, await device.read(gradient), rows(vectors[name]), TOLERANCE);
  }
}

/** The columns of a matrix, one after the other. */
function rows(matrix: readonly number[][]): number[] {
  return matrix[0].flatMap((_, i) => matrix.map((row) => row[i]));
}

/** The geometric median: where it stops, after how many iterations, and where it would end. */
import { z } from 'zod';
import type { Device } from '../../engine/device.ts';
import { geometricMedian } from '../../sae/parts/geometric-median.ts';
import { readJson } from '../fixture.ts';
import type { Report } from '../report.ts';

const numbers = z.array(z.number());
const schema = z.object({
  tolerance: z.object({ abs: z.number().positive() }),
  cases: z.array(
    z.object({
      points: z.array(numbers).min(1),
      max_iter: z.number().int(),
      tol: z.number(),
      result: numbers,
      iterations: z.number().int(),
      converged_result: numbers,
      mean: numbers,
    }),
  ),
});

const CONVERGED = 20_000;

export function runGeometricMedian(_device: Device, path: string, report: Report): void {
  const { tolerance, cases } = readJson(path, schema);
  for (const [i, vectors] of cases.entries()) {
    const d = vectors.mean.length;
    const points = Float32Array.from(vectors.points.flat());
    const after = (iterations: number, tol = vectors.tol): Float64Array => geometricMedian(points, d, iterations, tol);
    const result = after(vectors.max_iter);
    let iterations = 0;
    while (iterations < vectors.max_iter && String(after(iterations)) !== String(result)) iterations++;
    report.compare(`case ${i}: mean`, after(0), vectors.mean, tolerance);
    report.compare(`case ${i}: result`, result, vectors.result, tolerance);
    report.compare(`case ${i}: iterations`, iterations, vectors.iterations, 'exact');
    report.compare(`case ${i}: converged_result`, after(CONVERGED, 0), vectors.converged_result, tolerance);
  }
}

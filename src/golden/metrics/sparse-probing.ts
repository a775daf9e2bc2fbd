/** k-sparse probing as SAEBench does it with scikit-learn. */
import { join } from 'node:path';
import { z } from 'zod';
import { codesFromDense, type Codes } from '../../core/codes.ts';
import { fitSparseProbe, hits, meanDifferences, strongest, type Examples } from '../../evals/probing/k-sparse.ts';
import { SafetensorsFile } from '../../formats/safetensors.ts';
import { readJson } from '../fixture.ts';
import type { Report } from '../report.ts';

const expectedSchema = z.object({
  latents: z.int(),
  abs_mean_difference: z.array(z.number()),
  ranking: z.array(z.int()),
  k: z.record(
    z.string(),
    z.object({
      latents: z.array(z.int()),
      test_accuracy: z.number(),
      train_accuracy: z.number(),
      coefficients_converged: z.array(z.number()),
      intercept_converged: z.number(),
    }),
  ),
  tolerance: z.object({
    accuracy: z.number(),
    coefficients: z.number().positive(),
    abs_mean_difference: z.number().positive(),
  }),
});

export function runSparseProbing(folder: string, report: Report): void {
  const expected = readJson(join(folder, 'expected.json'), expectedSchema);
  const { latents, ranking, tolerance } = expected;
  const file = SafetensorsFile.open(join(folder, 'inputs.safetensors'));
  try {
    const part = (name: string): { codes: Codes; examples: Examples } => {
      const labels = Uint8Array.from(file.readInt32(`${name}_y`));
      const codes = codesFromDense(file.readFloat32(`${name}_x`), labels.length, latents);
      return { codes, examples: { rows: Int32Array.from(labels.keys()), labels } };
    };
    const [train, test] = [part('train'), part('test')];
    const differences = meanDifferences(train.codes, train.examples);
    report.compare('abs_mean_difference', differences, expected.abs_mean_difference, {
      abs: tolerance.abs_mean_difference,
    });
    report.compare('ranking', strongest(differences, ranking.length), ranking, 'exact');
    for (const [k, stored] of Object.entries(expected.k)) {
      const chosen = strongest(differences, k === 'all' ? latents : Number(k));
      const fit = fitSparseProbe(train.codes, chosen, train.examples);
      const near = { abs: tolerance.coefficients };
      report.compare(`k ${k}: latents`, fit.latents, stored.latents, 'exact');
      report.compare(`k ${k}: coefficients`, fit.probe.weights, stored.coefficients_converged, near);
      report.compare(`k ${k}: intercept`, fit.probe.intercept, stored.intercept_converged, near);
      for (const [name, { codes, examples }] of Object.entries({ train, test })) {
        const right = hits(fit, codes, examples);
        const accuracy = right.reduce((sum, hit) => sum + hit, 0) / right.length;
        report.compare(`k ${k}: ${name}_accuracy`, accuracy, stored[`${name as 'train' | 'test'}_accuracy`], {
          abs: tolerance.accuracy,
        });
      }
    }
  } finally {
    file.close();
  }
}

/** An SAE against true directions and activations: SAELens `sae_lens/synthetic/evals.py`. */
import { join } from 'node:path';
import { z } from 'zod';
import { addFiringCounts, codesFromDense, countFired } from '../../core/codes.ts';
import { mean } from '../../core/statistics.ts';
import { NormRatio } from '../../evals/truth/norm-ratio.ts';
import { blockUnits } from '../../evals/units.ts';
import { absoluteCosines, FiringAgreement, matchLatents } from '../../forest/truth.ts';
import { SafetensorsFile } from '../../formats/safetensors.ts';
import { Spread, squaredDistance } from '../../training/validation.ts';
import { readJson } from '../fixture.ts';
import type { Report } from '../report.ts';

const numbers = z.array(z.number());
const expectedSchema = z.object({
  latents: z.number().int(),
  gt_features: z.number().int(),
  samples: z.number().int(),
  mcc: z.number(),
  hungarian_total_abs_cosine: z.number(),
  uniqueness: z.number(),
  best_match: numbers,
  best_abs_cosine: numbers,
  per_latent: z.object({
    tp: numbers,
    fp: numbers,
    fn: numbers,
    tn: numbers,
    precision: numbers,
    recall: numbers,
    f1: numbers,
  }),
  mean: z.object({ precision: z.number(), recall: z.number(), f1: z.number(), accuracy: z.number() }),
  explained_variance: z.number(),
  shrinkage: z.number(),
  dead_latents: z.number(),
  l0: z.number(),
  true_l0: z.number(),
  tolerance: z.number().positive(),
});

export function runGroundTruth(folder: string, report: Report): void {
  const expected = readJson(join(folder, 'expected.json'), expectedSchema);
  const { latents, gt_features: features, samples: rows } = expected;
  const file = SafetensorsFile.open(join(folder, 'inputs.safetensors'));
  const read = (name: string): Float32Array => file.readFloat32(name);
  const compare = (name: string, actual: ArrayLike<number> | number, stored: ArrayLike<number> | number): void =>
    report.compare(name, actual, stored, { abs: expected.tolerance });
  try {
    const d = read('W_dec').length / latents;
    const cosines = absoluteCosines(read('W_dec'), read('gt_directions'), d);
    const { mcc, uniqueness, nearest } = matchLatents(cosines, latents, features);
    compare('mcc', mcc, expected.mcc);
    // The pairs need not be unique: the total is.
    compare('hungarian_total_abs_cosine', mcc * Math.min(latents, features), expected.hungarian_total_abs_cosine);
    compare('uniqueness', uniqueness, expected.uniqueness);
    report.compare('best_match', nearest, expected.best_match, 'exact');
    const best = Array.from(nearest, (feature, latent) => cosines[latent * features + feature]);
    compare('best_abs_cosine', best, expected.best_abs_cosine);

    const codes = codesFromDense(read('code'), rows, latents);
    const truth = codesFromDense(read('gt_activations'), rows, features);
    const agreement = new FiringAgreement(nearest, features);
    agreement.add(codes, truth);
    compareCounts(expected, agreement, report);
    const scores = agreement.scores();
    for (const name of ['precision', 'recall', 'f1'] as const) {
      compare(`per_latent.${name}`, scores[name], expected.per_latent[name]);
      compare(`mean.${name}`, scores.mean[name], expected.mean[name]);
    }

    const [x, reconstruction] = [read('x'), read('x_hat')];
    const spread = new Spread(d);
    spread.add(x);
    compare('explained_variance', 1 - squaredDistance(x, reconstruction) / spread.total, expected.explained_variance);
    const ratio = new NormRatio(blockUnits(rows), d);
    ratio.add(0, x, reconstruction);
    compare('shrinkage', ratio.value, expected.shrinkage);
    const fired = new Float64Array(latents);
    addFiringCounts(codes, fired);
    report.compare('dead_latents', fired.filter((count) => count === 0).length, expected.dead_latents, 'exact');
    compare('l0', countFired(codes) / rows, expected.l0);
    compare('true_l0', countFired(truth) / rows, expected.true_l0);
  } finally {
    file.close();
  }
}

function compareCounts(
  { samples, best_match, per_latent, mean: means, tolerance }: z.output<typeof expectedSchema>,
  { hits, fired, on }: FiringAgreement,
  report: Report,
): void {
  const onOf = (latent: number): number => on[best_match[latent]];
  const [fp, fn] = [fired.map((count, i) => count - hits[i]), hits.map((count, i) => onOf(i) - count)];
  const tn = hits.map((count, i) => samples - fired[i] - onOf(i) + count);
  for (const [name, counts] of Object.entries({ tp: hits, fp, fn, tn })) {
    report.compare(`per_latent.${name}`, counts, per_latent[name as 'tp'], 'exact');
  }
  const accuracy = mean(hits.map((count, i) => (count + tn[i]) / samples));
  report.compare('mean.accuracy', accuracy, means.accuracy, { abs: tolerance });
}

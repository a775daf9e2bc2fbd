/** Absorption of words and splitting of properties, as SAEBench computes them. */
import { join } from 'node:path';
import { z } from 'zod';
import { absorptionOf, splitCount, type Contribution } from '../../evals/absorption/word-rules.ts';
import { cosinesOf } from '../../forest/truth.ts';
import { SafetensorsFile } from '../../formats/safetensors.ts';
import { readJson } from '../fixture.ts';
import type { Report } from '../report.ts';

const expectedSchema = z.object({
  main_latents: z.array(z.int()),
  decoder_probe_cosines: z.array(z.number()),
  words: z.array(
    z.object({
      probe_projection: z.number(),
      full_absorption: z.boolean(),
      absorption_fraction: z.number(),
    }),
  ),
  aggregate: z.object({
    num_probe_true_positives: z.int(),
    full_absorption_rate: z.number(),
    mean_absorption_fraction: z.number(),
  }),
  feature_splits: z.array(z.object({ f1_by_k: z.array(z.number()), num_split_latents: z.int() })),
  tolerance: z.number().positive(),
});

export function runAbsorption(folder: string, report: Report): void {
  const expected = readJson(join(folder, 'expected.json'), expectedSchema);
  const { words, aggregate, feature_splits: splits } = expected;
  const near = { abs: expected.tolerance };
  const file = SafetensorsFile.open(join(folder, 'inputs.safetensors'));
  try {
    const probe = file.readFloat32('probe');
    const x = file.readFloat32('x');
    const code = file.readFloat32('code');
    const d = probe.length;
    const cosines = cosinesOf(file.readFloat32('W_dec'), probe, d);
    report.compare('decoder_probe_cosines', cosines, expected.decoder_probe_cosines, near);

    const length = Math.hypot(...probe);
    const projections = words.map((_, w) => probe.reduce((sum, p, j) => sum + (p / length) * x[w * d + j], 0));
    const wanted = words.map(({ probe_projection: projection }) => projection);
    report.compare('probe_projection', projections, wanted, near);

    const main = new Set(expected.main_latents);
    const found = projections.map((projection, w) => {
      // As they are: SAEBench takes decoder rows for unit vectors, whatever their norms.
      const active = Array.from(cosines, (cosine, latent): Contribution => {
        return { latent, activation: code[w * cosines.length + latent], cosine };
      });
      return absorptionOf(active, main, projection);
    });
    const full = found.map((word) => Number(word.full));
    const fractions = found.map(({ fraction }) => fraction);
    const wantedFull = words.map((word) => Number(word.full_absorption));
    const wantedFractions = words.map((word) => word.absorption_fraction);
    report.compare('full_absorption', full, wantedFull, 'exact');
    report.compare('absorption_fraction', fractions, wantedFractions, near);
    const share = (values: readonly number[]): number =>
      values.reduce((sum, value) => sum + value, 0) / aggregate.num_probe_true_positives;
    report.compare('full_absorption_rate', share(full), aggregate.full_absorption_rate, near);
    report.compare('mean_absorption_fraction', share(fractions), aggregate.mean_absorption_fraction, near);
  } finally {
    file.close();
  }
  const counts = splits.map((split) => splitCount(split.f1_by_k));
  const wantedCounts = splits.map((split) => split.num_split_latents);
  report.compare('num_split_latents', counts, wantedCounts, 'exact');
}

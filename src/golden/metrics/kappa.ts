/** Agreement of judges: Cohen's κ with its weights, Fleiss' κ, and the cases in which they are undefined. */
import { join } from 'node:path';
import { z } from 'zod';
import { cohenKappa, fleissKappa } from '../../evals/annotation/kappa.ts';
import { readJson } from '../fixture.ts';
import type { Report } from '../report.ts';

const kappa = z.number().nullable();
const expectedSchema = z.object({
  cohen: z.array(
    z.object({
      name: z.string(),
      rater_a: z.array(z.number()),
      rater_b: z.array(z.number()),
      labels: z.array(z.number()),
      table: z.array(z.array(z.number())),
      observed: z.number(),
      chance: z.number(),
      kappa,
      kappa_linear: kappa,
      kappa_quadratic: kappa,
    }),
  ),
  fleiss: z.array(
    z.object({
      name: z.string(),
      counts: z.array(z.array(z.number())),
      kappa,
      mean_agreement: z.number(),
      chance_agreement: z.number(),
    }),
  ),
  tolerance: z.number(),
});

export function runKappa(folder: string, report: Report): void {
  const { cohen, fleiss, tolerance } = readJson(join(folder, 'expected.json'), expectedSchema);
  const near = { abs: tolerance };
  /** Undefined on both sides agrees. */
  const compareKappa = (name: string, actual: number, stored: number | null): void => {
    if (stored === null) report.compare(`${name}: undefined`, Number(Number.isNaN(actual)), 1, 'exact');
    else report.compare(name, actual, stored, near);
  };
  for (const { name, rater_a: a, rater_b: b, labels, table: stored, ...values } of cohen) {
    const table = labels.map((x) => labels.map((y) => a.filter((label, i) => label === x && b[i] === y).length));
    report.compare(`cohen, ${name}: table`, table.flat(), stored.flat(), 'exact');
    const { observed, chance, kappa } = cohenKappa(table);
    report.compare(`cohen, ${name}: observed`, observed, values.observed, near);
    report.compare(`cohen, ${name}: chance`, chance, values.chance, near);
    compareKappa(`cohen, ${name}: kappa`, kappa, values.kappa);
    compareKappa(`cohen, ${name}: linear`, cohenKappa(table, 'linear').kappa, values.kappa_linear);
    compareKappa(`cohen, ${name}: quadratic`, cohenKappa(table, 'quadratic').kappa, values.kappa_quadratic);
  }
  for (const { name, counts, ...values } of fleiss) {
    const { observed, chance, kappa } = fleissKappa(counts);
    report.compare(`fleiss, ${name}: observed`, observed, values.mean_agreement, near);
    report.compare(`fleiss, ${name}: chance`, chance, values.chance_agreement, near);
    compareKappa(`fleiss, ${name}: kappa`, kappa, values.kappa);
  }
}

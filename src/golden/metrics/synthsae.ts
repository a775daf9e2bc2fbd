/** The synthetic benchmark: what a hierarchy makes of activations, Zipf probabilities, compensation, exact rates. */
import { join } from 'node:path';
import { z } from 'zod';
import { Hierarchy, type HierarchyNode } from '../../activations/synth-bench/hierarchy.ts';
import { compensationFactors, firingRates, zipfProbabilities } from '../../activations/synth-bench/rates.ts';
import { SafetensorsFile } from '../../formats/safetensors.ts';
import { readJson } from '../fixture.ts';
import type { Report, Tolerance } from '../report.ts';

const expectedSchema = z.object({
  features: z.number().int(),
  samples: z.number().int(),
  groups: z.array(z.object({ parent: z.number().int().nullable(), members: z.array(z.number().int()) })),
  zipf: z.object({
    n: z.number(),
    exponent: z.number(),
    max_prob: z.number(),
    min_prob: z.number(),
    defaults: z.object({ exponent: z.number(), max_prob: z.number(), min_prob: z.number() }),
  }),
  hierarchy_config: z.object({
    total_root_nodes: z.number().int(),
    branching_factor: z.number().int(),
    max_depth: z.number().int(),
  }),
  compensation: z.object({ clamped: z.number().int(), max_before_clamp: z.number() }),
  expected_true_l0: z.object({ sum_base: z.number(), compensated_exact: z.number(), uncompensated_exact: z.number() }),
  tolerance: z.number().positive(),
});

const nodeSchema: z.ZodType<HierarchyNode> = z
  .object({
    feature_index: z.number().int().nullable(),
    mutually_exclusive_children: z.boolean(),
    scale_children_by_parent: z.boolean(),
    get children() {
      return z.array(nodeSchema);
    },
  })
  .transform((node) => ({
    feature: node.feature_index,
    exclusive: node.mutually_exclusive_children,
    scales: node.scale_children_by_parent,
    children: node.children,
  }));
const hierarchySchema = z.object({ roots: z.array(nodeSchema) });

export function runSynthSae(folder: string, report: Report): void {
  const expected = readJson(join(folder, 'expected.json'), expectedSchema);
  const file = SafetensorsFile.open(join(folder, 'inputs.safetensors'));
  try {
    compareActivations(folder, expected, file, report);
    compareRates(folder, expected, file, report);
  } finally {
    file.close();
  }
}

type Expected = z.output<typeof expectedSchema>;

function compareActivations(folder: string, expected: Expected, file: SafetensorsFile, report: Report): void {
  const { features, samples, groups } = expected;
  const { roots } = readJson(join(folder, 'hierarchy.json'), hierarchySchema);
  const hierarchy = Hierarchy.of(features, roots);
  const mean = Float64Array.from(file.readFloat32('mean_magnitudes'));
  const survivor = file.readInt32('survivor');
  const groupOf = new Int32Array(features).fill(-1);
  groups.forEach(({ members }, g) => members.forEach((feature) => (groupOf[feature] = g)));

  for (const suffix of ['', '_conflict_free']) {
    const before = file.readFloat32(`pre${suffix}`);
    const after = new Float64Array(before.length);
    let choices = 0;
    for (let n = 0; n < samples; n++) {
      const at = n * features;
      const pass = {
        raw: (feature: number) => before[at + feature],
        choose: (_node: number, members: readonly number[]) => {
          choices++;
          return survivor[n * groups.length + groupOf[members[0]]];
        },
        emit: (feature: number, value: number) => void (after[at + feature] = value),
      };
      for (const root of hierarchy.forest.roots) hierarchy.activateRoot(root, mean, pass);
      for (const feature of hierarchy.free) after[at + feature] = before[at + feature];
    }
    const after32 = file.readFloat32(`post${suffix}`);
    report.compare(`post${suffix}`, after, after32, near(expected, after32));
    if (suffix !== '') report.compare(`choices${suffix}`, choices, 0, 'exact');
  }
  const base = file.readFloat32('linear_probs');
  const factors = file.readFloat32('linear_factors');
  report.compare('linear_factors', compensationFactors(hierarchy, base), factors, near(expected, factors));
}

function compareRates(folder: string, expected: Expected, file: SafetensorsFile, report: Report): void {
  const { zipf, hierarchy_config: config, compensation, expected_true_l0: l0 } = expected;
  const compare = (name: string, actual: ArrayLike<number> | number, stored: ArrayLike<number> | number): void =>
    report.compare(name, actual, stored, near(expected, stored));
  const base = zipfProbabilities(zipf.n, zipf.exponent, zipf.max_prob, zipf.min_prob);
  compare('zipf', base, file.readFloat32('zipf'));
  const { exponent, max_prob: max, min_prob: min } = zipf.defaults;
  compare('zipf_defaults', zipfProbabilities(zipf.n, exponent, max, min), file.readFloat32('zipf_defaults'));

  const { roots } = readJson(join(folder, 'generated_hierarchy.json'), hierarchySchema);
  const stored = Hierarchy.of(zipf.n, roots);
  const made = Hierarchy.complete(zipf.n, {
    roots: config.total_root_nodes,
    branching: config.branching_factor,
    depth: config.max_depth,
    exclusive: true,
    scaleChildren: true,
  });
  report.compare('generated_hierarchy: parents', made.truth.parent, stored.truth.parent, 'exact');
  for (const flag of ['exclusive', 'scales'] as const)
    report.compare(`generated_hierarchy: ${flag}`, parentsWith(flag, made), parentsWith(flag, stored), 'exact');

  const factors = compensationFactors(made, base);
  const raised = base.map((p, i) => p * factors[i]);
  const compensated = raised.map((p) => Math.min(1, p));
  compare('compensation_factors', factors, file.readFloat32('compensation_factors'));
  compare('compensated_before_clamp', raised, file.readFloat32('compensated_before_clamp'));
  compare('compensated', compensated, file.readFloat32('compensated'));
  report.compare('compensation.clamped', raised.filter((p) => p > 1).length, compensation.clamped, 'exact');
  compare('compensation.max_before_clamp', Math.max(...raised), compensation.max_before_clamp);

  const rates = firingRates(made, compensated);
  const bare = firingRates(made, base);
  compare('effective_compensated', rates, file.readFloat32('effective_compensated'));
  compare('effective_uncompensated', bare, file.readFloat32('effective_uncompensated'));
  compare('expected_true_l0.sum_base', sum(base), l0.sum_base);
  compare('expected_true_l0.compensated_exact', sum(rates), l0.compensated_exact);
  compare('expected_true_l0.uncompensated_exact', sum(bare), l0.uncompensated_exact);
}

/** Features with children whose node has a flag. */
function parentsWith(flag: 'exclusive' | 'scales', hierarchy: Hierarchy): number[] {
  const { forest, feature } = hierarchy;
  const flagged = [...forest.order].filter((node) => forest.children(node).length > 0 && hierarchy[flag][node] === 1);
  return flagged.map((node) => feature[node]).sort((x, y) => x - y);
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}

/** |got − want| ≤ tol · max(1, max|want|) */
function near({ tolerance }: Expected, stored: ArrayLike<number> | number): Tolerance {
  const values = typeof stored === 'number' ? [stored] : Array.from(stored);
  return { abs: tolerance * values.reduce((most, value) => Math.max(most, Math.abs(value)), 1) };
}

/** Fixtures of metrics: a folder `<metric>/<case>` with `expected.json` and what it names. */
import { basename, dirname, resolve } from 'node:path';
import { runCore } from './metrics/core.ts';
import { runSparseProbing } from './metrics/sparse-probing.ts';
import { runAbsorption } from './metrics/absorption.ts';
import { runGroundTruth } from './metrics/ground-truth.ts';
import { runKappa } from './metrics/kappa.ts';
import { runHierarchyPairs } from './metrics/hierarchy-pairs.ts';
import { runHierarchyTree } from './metrics/hierarchy-tree.ts';
import { runSynthSae } from './metrics/synthsae.ts';
import { runTreeRecovery } from './metrics/tree-recovery.ts';
import type { Report } from './report.ts';

/** By the name of the metric. To add one: a file in metrics/, and an entry. */
const runs: Readonly<Record<string, (folder: string, report: Report) => void | Promise<void>>> = {
  core: runCore,
  'sparse-probing': runSparseProbing,
  absorption: runAbsorption,
  'ground-truth': runGroundTruth,
  kappa: runKappa,
  'hierarchy-pairs': runHierarchyPairs,
  'hierarchy-tree': runHierarchyTree,
  synthsae: runSynthSae,
  'tree-recovery': runTreeRecovery,
};

/** The file that makes a folder a case. */
export const METRIC_FILE = 'expected.json';

export async function runMetric(folder: string, report: Report): Promise<void> {
  const metric = basename(dirname(resolve(folder)));
  const run = Object.hasOwn(runs, metric) ? runs[metric] : undefined;
  if (run) await run(folder, report);
  else report.skip(METRIC_FILE, `no adapter for "${metric}"; there are: ${Object.keys(runs).join(', ')}`);
}

/** Trains one architecture on the toy tree without leaving files, and measures what it found. */
import { NormalizedSource } from '../activations/normalized-source.ts';
import { ToyTree } from '../activations/toy-tree.ts';
import type { NormalizationKind } from '../activations/normalization.ts';
import { parseConfig } from '../core/config.ts';
import { ConfigError } from '../core/errors.ts';
import type { Device } from '../engine/device.ts';
import { Optimizer } from '../engine/optim.ts';
import type { Architecture } from '../sae/architecture.ts';
import { trainStep } from '../training/step.ts';
import { recoverToyTree, type ToyRecovery } from './toy-recovery.ts';

export interface ToyTraining {
  readonly config: Readonly<Record<string, unknown>>;
  readonly normalize: NormalizationKind;
  readonly batch: number;
  readonly tokens: number;
}

/** Steps in a row that may fail before a training counts as diverged. */
const MAX_BAD_STEPS = 10;

/**
 * @param seed of the tree, the data and the weights
 * @param device whose memory is left taken: one for each call
 * @returns undefined if the training diverged
 */
export async function benchToyTree(
  device: Device,
  architecture: Architecture,
  { config: keys, normalize, batch, tokens }: ToyTraining,
  seed: number,
): Promise<ToyRecovery | undefined> {
  const config = parseConfig(architecture.schema, keys, architecture.name);
  const problem = architecture.check?.(config);
  if (problem) throw new ConfigError(problem, { where: architecture.name });
  const tree = new ToyTree(seed);
  const source = await NormalizedSource.wrap(tree, normalize);
  const steps = Math.ceil(tokens / batch);
  const sae = architecture.build(config, { device, d: tree.d, seed, batch, steps });
  const optimizer = new Optimizer(device, sae.parameters, sae.update);
  const x = device.persistent('f32', batch, tree.d);
  const rows = new Float32Array(batch * tree.d);
  let bad = 0;
  for (let step = 0; step < steps && bad < MAX_BAD_STEPS; step++) {
    await source.batch(step, rows);
    if (step === 0) sae.start(rows);
    device.beginStep();
    device.write(x, rows);
    const { taken } = await trainStep(device, sae, optimizer, x, step);
    bad = taken ? 0 : bad + 1;
  }
  return bad < MAX_BAD_STEPS ? recoverToyTree(device, sae, source, tree) : undefined;
}

/** The known truth behind the activations of an evaluation, where there is one. */
import { SynthBench } from '../activations/synth-bench/synth-bench.ts';
import { ToyTree } from '../activations/toy-tree.ts';
import type { Hook } from '../lm/site.ts';
import { World } from '../world/world.ts';
import type { EvalContext } from './context.ts';
import { synthBenchRows, toyTreeRows, type TruthRows } from './truth-rows.ts';
import { readWorldRows, speaksOf } from './world-rows.ts';

/**
 * Held-out rows with their true features: of synthetic sources, and of a language model that grew up in the embedded world.
 * @returns why there are none
 */
export async function truthRowsOf({ source, model, rows }: EvalContext): Promise<TruthRows | string> {
  if (source instanceof ToyTree) return toyTreeRows(source);
  if (source instanceof SynthBench) return synthBenchRows(source);
  if (typeof model === 'string') return model;
  const world = new World();
  if (!speaksOf(model.model, world)) {
    return 'nobody knows the true features of this data: they are known of synthetic activations and of the embedded world';
  }
  const { layer, hook } = model;
  return readWorldRows(model.model, world, { split: 'held-out', site: { layer, hook: hook as Hook }, rows });
}

/** Where the features of a known truth point: the directions that activations are made of, or probes for a world's concepts. */
import { SynthBench } from '../../activations/synth-bench/synth-bench.ts';
import { ToyTree } from '../../activations/toy-tree.ts';
import type { Hook } from '../../lm/site.ts';
import { World } from '../../world/world.ts';
import type { EvalContext } from '../context.ts';
import { fitProbes } from '../probes.ts';
import { readWorldRows } from '../world-rows.ts';

export interface TruthDirections {
  /** `[features, d]`; zeros where a feature never occurred. */
  readonly vectors: Float32Array;
  /** Activations are sums of these vectors, so that a latent's decoder row tells which feature it stands for. */
  readonly areExact: boolean;
  /** For definitions. */
  readonly how: string;
}

/** Words of training text that the probes are fitted on. */
const PROBE_ROWS = 20_000;

/** Of sources that truthRowsOf (truth-source.ts) knows. */
export async function truthDirectionsOf({ source, model }: EvalContext): Promise<TruthDirections> {
  if (source instanceof ToyTree || source instanceof SynthBench) {
    return { vectors: source.directions, areExact: true, how: 'the true direction of the parent' };
  }
  if (typeof model === 'string') throw new TypeError('truth without a source of it');
  const { layer, hook } = model;
  const site = { layer, hook: hook as Hook };
  const text = await readWorldRows(model.model, new World(), { split: 'train', site, rows: PROBE_ROWS });
  const { weights } = await fitProbes(text);
  return {
    vectors: Float32Array.from(weights),
    areExact: false,
    how: `the weights of a ridge probe for the parent, fitted on ${PROBE_ROWS.toLocaleString('en')} tokens of training text`,
  };
}

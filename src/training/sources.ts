/** Opens the activations that a configuration names. */
import { unknownName } from '../core/config.ts';
import { UsageError } from '../core/errors.ts';
import type { Normalization, NormalizationKind } from '../activations/normalization.ts';
import { NormalizedSource } from '../activations/normalized-source.ts';
import { ShardSource } from '../activations/shard-source.ts';
import type { ActivationSource } from '../activations/source.ts';
import { SynthBench } from '../activations/synth-bench/synth-bench.ts';
import { ToyTree } from '../activations/toy-tree.ts';
import type { CommonConfig } from './config.ts';

/** Sources that need no folder. */
export const BUILT_IN = ['synthetic:toy-tree', 'synthetic:bench-16k'] as const;

/** @param normalization a kind to fit, or the constants of a run that is resumed or evaluated */
export async function openSource(
  config: CommonConfig,
  normalization: NormalizationKind | Normalization,
): Promise<ActivationSource> {
  return NormalizedSource.wrap(await openRawSource(config), normalization);
}

/**
 * The activations as they were harvested or generated.
 * @param note told when opening takes long
 */
export async function openRawSource(
  { acts, seed, heldOut, toyTree, synthBench }: CommonConfig,
  note?: (line: string) => void,
): Promise<ActivationSource> {
  if (acts === 'synthetic:toy-tree') return new ToyTree(seed, toyTree);
  if (acts === 'synthetic:bench-16k') return SynthBench.open(seed, synthBench, note);
  if (acts.startsWith('synthetic:')) {
    throw new UsageError(unknownName('built-in source', acts, BUILT_IN), {
      hint: '--acts takes one of these or a folder made by saeforest harvest',
    });
  }
  return ShardSource.open(acts, { seed, heldOut: { fraction: heldOut } });
}

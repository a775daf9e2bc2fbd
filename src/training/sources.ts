/** Opens the activations that configurations name. */
import { unknownName } from '../core/config.ts';
import { UsageError } from '../core/errors.ts';
import type { Normalization, NormalizationKind } from '../activations/normalization.ts';
import { NormalizedSource } from '../activations/normalized-source.ts';
import { ShardSource } from '../activations/shard-source.ts';
import type { ActivationSource } from '../activations/source.ts';
import { SynthBench } from '../activations/synth-bench/synth-bench.ts';
import { ToyTree } from '../activations/toy-tree.ts';
import type { LiveConfig } from '../lm/live/config.ts';
import { siteName, type Site } from '../lm/site.ts';
import { LIVE, stepsOf, type CommonConfig } from './config.ts';

/** Sources that need no folder. */
export const BUILT_IN = ['synthetic:toy-tree', 'synthetic:bench-16k', LIVE] as const;

export interface OpenOptions {
  /** Threads of a language model. */
  threads?: number | undefined;
  /** Ends the waiting for a language model. */
  signal?: AbortSignal;
  /** Told when opening takes long. */
  note?: ((line: string) => void) | undefined;
  /** Told what a language model does before the first batch is there. */
  onProgress?: ((what: string, done: number, of: number) => void) | undefined;
}

/** @param normalization a kind to fit, or the constants of a run that is resumed or evaluated */
export async function openSource(
  config: CommonConfig,
  normalization: NormalizationKind | Normalization,
  options: OpenOptions = {},
): Promise<ActivationSource> {
  const [raw] = await openRawSources([config], options);
  return NormalizedSource.wrap(raw, normalization);
}

/**
 * The activations of runs that are trained together, as they were harvested or generated: one source for each run, the
 * same one for runs that see the same rows. They differ in nothing but the site of a live language model.
 */
export async function openRawSources(
  configs: readonly CommonConfig[],
  options: OpenOptions = {},
): Promise<ActivationSource[]> {
  const [first] = configs;
  if (first.acts === LIVE) return openLive(configs, options);
  const source = await openStored(first, options);
  return configs.map(() => source);
}

async function openStored(
  { acts, seed, heldOut, toyTree, synthBench }: CommonConfig,
  { note }: OpenOptions,
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

async function openLive(configs: readonly CommonConfig[], options: OpenOptions): Promise<ActivationSource[]> {
  const [first] = configs;
  const names = configs.map(({ live }) => siteName(siteOf(live)));
  const distinct = [...new Set(names)];
  const sites = distinct.map((name) => siteOf(configs[names.indexOf(name)].live));
  const { LiveSource } = await import('../lm/live/source.ts');
  const sources = await LiveSource.openAll(first.live!, sites, {
    ...options,
    seed: first.seed,
    heldOut: first.heldOut,
    rows: stepsOf(first) * first.batch,
  });
  return names.map((name) => sources[distinct.indexOf(name)]);
}

/** @throws UsageError for a run that was not trained live */
function siteOf(live: LiveConfig | undefined): Site {
  if (live) return { layer: live.layer, hook: live.hook };
  throw new UsageError('there is no language model to take live activations from: the run was not trained live', {
    hint: '--acts takes a folder made by saeforest harvest',
  });
}

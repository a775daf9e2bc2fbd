/** What a harvest will do, settled before anything is written. */
import type { HarvestIdentity } from '../activations/manifest.ts';
import type { StorageDtype } from '../core/floats.ts';
import { siteFolder, type SiteHarvest } from './harvest-folders.ts';
import { openReading, type Reading, type ReadingOptions } from './reading.ts';

export interface HarvestOptions extends ReadingOptions {
  /** Rows to store: the harvest ends with the document that reaches them, or packed with the context that does. */
  tokens: number;
  /** Folder of shards, or for several sites of such folders: new, empty, or of the same harvest interrupted. */
  out: string;
  dtype?: StorageDtype;
}

export interface HarvestPlan {
  readonly reading: Reading;
  readonly sites: readonly SiteHarvest[];
  readonly rowsWanted: number;
  /** Shards hold binary16, which the runtime itself converts to. */
  readonly isHalf: boolean;
}

/** Rows of a shard, at most about 64 MiB as float32: what is held in memory until it is complete. */
function rowsPerShard(d: number): number {
  return Math.max(4096, Math.min(65_536, Math.floor(2 ** 24 / d)));
}

/** @throws InputError, UsageError as {@link openReading} */
export async function planHarvest(
  options: HarvestOptions,
  onProgress?: (bytes: number, of: number) => void,
): Promise<HarvestPlan> {
  const reading = await openReading(options, onProgress);
  const { info, cut, dropped, hashes, documents, sites, tensors } = reading;
  const shared: Omit<HarvestIdentity, 'layer' | 'tensor' | 'hook'> = {
    model: { path: options.reference ?? options.model, hash: hashes.model, architecture: info.architecture },
    d: info.d,
    dtype: options.dtype ?? 'F16',
    context: cut.context,
    packed: cut.pack,
    specials: { dropped: dropped === undefined ? [] : [dropped], bos: cut.bos ?? null },
    text: documents.identity,
    tokenizer: hashes.tokenizer,
    seed: options.seed ?? 0,
    rowsPerShard: rowsPerShard(info.d),
    rowsWanted: options.tokens,
  };
  return {
    reading,
    sites: sites.map((site, i) => ({
      site,
      folder: siteFolder(options.out, site, sites.length),
      identity: { ...shared, layer: site.layer, hook: site.hook, tensor: tensors[i] },
    })),
    rowsWanted: options.tokens,
    isHalf: shared.dtype === 'F16',
  };
}

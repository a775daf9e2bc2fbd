/** Activations of one site, straight from the language model. */
import { createHash } from 'node:crypto';
import type { Normalization } from '../../activations/normalization.ts';
import type { ActivationSource, Json, RowOrigins, SourceIdentity } from '../../activations/source.ts';
import type { LiveConfig } from './config.ts';
import { LivePass, type LiveOptions } from './pass.ts';
import type { Site } from '../site.ts';

export class LiveSource implements ActivationSource {
  readonly d: number;
  /** The text begins again when it has been read. */
  readonly trainRows = Infinity;
  readonly heldOutRows: number;
  readonly normalization: Normalization = { kind: 'none' };
  readonly identity: SourceIdentity;
  readonly #pass: LivePass;
  readonly #site: number;

  /** @param site index among those of the pass */
  private constructor(pass: LivePass, config: LiveConfig, site: number) {
    this.#pass = pass;
    this.#site = site;
    this.d = pass.reading.info.d;
    this.heldOutRows = pass.heldOutRows;
    this.identity = describe(pass, config, site);
  }

  /**
   * One source per site, all fed by one pass of the model.
   * @throws InputError, UsageError for a model or texts that cannot be used, a site that the model does not have
   */
  static async openAll(config: LiveConfig, sites: readonly Site[], options: LiveOptions): Promise<LiveSource[]> {
    const pass = await LivePass.open(config, sites, options);
    return sites.map((_, site) => new LiveSource(pass, config, site));
  }

  batch(index: number, out: Float32Array): Promise<void> {
    return this.#pass.training(this.#site, (index * out.length) / this.d, out);
  }

  heldOut(start: number, out: Float32Array, origins?: RowOrigins): Promise<number> {
    return this.#pass.heldOut(this.#site, start, out, origins);
  }

  /** Ends the pass, for all its sites. */
  close(): Promise<void> {
    return this.#pass.close();
  }
}

/** The model's place is told, but does not count: its hash says which model it is. */
function describe({ reading, windowRows, options }: LivePass, { model }: LiveConfig, index: number): SourceIdentity {
  const { hashes, sites, tensors, cut, dropped, documents } = reading;
  const { seed, heldOut } = options;
  const data = {
    ...sites[index],
    tensor: tensors[index],
    context: cut.context,
    packed: cut.pack,
    bos: cut.bos ?? null,
    dropped: dropped === undefined ? [] : [dropped],
    text: documents.identity as Json,
    tokenizer: hashes.tokenizer,
    window: windowRows,
    heldOut,
    seed,
  };
  const hash = createHash('sha256')
    .update(JSON.stringify([hashes.model, data]))
    .digest('hex');
  return { kind: 'live', hash, description: { model: { path: model, hash: hashes.model }, ...data } };
}

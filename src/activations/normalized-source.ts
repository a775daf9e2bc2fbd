/** A source with its rows normalised. Several may stand before one source of raw rows. */
import { createHash } from 'node:crypto';
import { fitNormalization, normalize, type Normalization, type NormalizationKind } from './normalization.ts';
import type { ActivationSource, RowOrigins, SourceIdentity } from './source.ts';

/** Held-out rows to which constants are fitted where the source does not know its mean norm. */
const FIT_ROWS = 8192;

export class NormalizedSource implements ActivationSource {
  readonly d: number;
  readonly trainRows: number;
  readonly heldOutRows: number;
  readonly normalization: Normalization;
  readonly identity: SourceIdentity;
  readonly raw: ActivationSource;

  private constructor(raw: ActivationSource, normalization: Normalization) {
    this.raw = raw;
    this.d = raw.d;
    this.trainRows = raw.trainRows;
    this.heldOutRows = raw.heldOutRows;
    this.normalization = normalization;
    const hash = createHash('sha256')
      .update(`${raw.identity.hash} ${JSON.stringify(normalization)}`)
      .digest('hex');
    this.identity = { ...raw.identity, hash };
  }

  /**
   * @param raw a source that is not normalised; @param normalization a kind to fit, or constants fitted before
   * @returns `raw` itself if nothing is to be done
   */
  static async wrap(
    raw: ActivationSource,
    normalization: NormalizationKind | Normalization,
  ): Promise<ActivationSource> {
    const fitted =
      typeof normalization === 'string'
        ? fitNormalization(normalization, raw.d, raw.meanNorm ?? (await meanNormOf(raw)))
        : normalization;
    return fitted.kind === 'none' ? raw : new NormalizedSource(raw, fitted);
  }

  async batch(index: number, out: Float32Array): Promise<void> {
    await this.raw.batch(index, out);
    normalize(this.normalization, out, this.d);
  }

  async heldOut(start: number, out: Float32Array, origins?: RowOrigins): Promise<number> {
    const count = await this.raw.heldOut(start, out, origins);
    normalize(this.normalization, out.subarray(0, count * this.d), this.d);
    return count;
  }

  close(): Promise<void> {
    return this.raw.close();
  }
}

async function meanNormOf(source: ActivationSource): Promise<number> {
  const { d } = source;
  const rows = new Float32Array(Math.min(FIT_ROWS, source.heldOutRows) * d);
  const count = await source.heldOut(0, rows);
  let norms = 0;
  for (let r = 0; r < count; r++) norms += Math.hypot(...rows.subarray(r * d, (r + 1) * d));
  return norms / count;
}

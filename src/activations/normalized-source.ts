/** A generated source with its inputs normalised; constants are fitted on the first rows of the held-out stream. */
import { createHash } from 'node:crypto';
import { fitNormalization, normalize, type Normalization, type NormalizationKind } from './normalization.ts';
import type { ActivationSource, RowOrigins, SourceIdentity } from './source.ts';

const FIT_ROWS = 8192;

export class NormalizedSource implements ActivationSource {
  readonly d: number;
  readonly trainRows: number;
  readonly heldOutRows: number;
  readonly normalization: Normalization;
  readonly identity: SourceIdentity;
  readonly #inner: ActivationSource;

  private constructor(inner: ActivationSource, normalization: Normalization) {
    this.#inner = inner;
    this.d = inner.d;
    this.trainRows = inner.trainRows;
    this.heldOutRows = inner.heldOutRows;
    this.normalization = normalization;
    const hash = createHash('sha256')
      .update(`${inner.identity.hash} ${JSON.stringify(normalization)}`)
      .digest('hex');
    this.identity = { ...inner.identity, hash };
  }

  /** @param inner a source that is not normalised; @param normalization a kind to fit, or constants fitted before */
  static async wrap(
    inner: ActivationSource,
    normalization: NormalizationKind | Normalization,
  ): Promise<ActivationSource> {
    if (typeof normalization !== 'string') return new NormalizedSource(inner, normalization);
    if (normalization === 'none') return inner;
    const rows = new Float32Array(Math.min(FIT_ROWS, inner.heldOutRows) * inner.d);
    const count = await inner.heldOut(0, rows);
    let norms = 0;
    for (let r = 0; r < count; r++) norms += Math.hypot(...rows.subarray(r * inner.d, (r + 1) * inner.d));
    return new NormalizedSource(inner, fitNormalization(normalization, inner.d, norms / count));
  }

  async batch(index: number, out: Float32Array): Promise<void> {
    await this.#inner.batch(index, out);
    normalize(this.normalization, out, this.d);
  }

  async heldOut(start: number, out: Float32Array, origins?: RowOrigins): Promise<number> {
    const count = await this.#inner.heldOut(start, out, origins);
    normalize(this.normalization, out.subarray(0, count * this.d), this.d);
    return count;
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}

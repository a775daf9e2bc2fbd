/** How well one view reconstructs: explained variance in every definition in use, errors, norms, sparsity. */
import type { Codes } from '../../core/codes.ts';
import { dot, total, type Bootstrap, type Metrics } from '../metric.ts';
import type { HeldOutBatch } from '../held-out-rows.ts';
import type { View } from '../../sae/architecture.ts';
import { SpreadSums, type InputSums } from './inputs.ts';

/** x̂ of one batch [rows, d] in both spaces. */
export interface ViewOutput {
  readonly raw: Float32Array;
  readonly normalized: Float32Array;
}

/** Sums per unit, e = x − x̂. */
export class ReconstructionSums {
  readonly #inputs: InputSums;
  readonly #view: View;
  readonly #error: SpreadSums;
  readonly #normalizedError: Float64Array;
  /** Σ‖e‖² / ‖x‖² */
  readonly #relative: Float64Array;
  /** Σ 1 − ‖e‖² / ‖x − x̄‖² */
  readonly #legacy: Float64Array;
  readonly #cosine: Float64Array;
  /** Σ‖e‖ */
  readonly #errorNorm: Float64Array;
  /** Σ‖x‖ */
  readonly #normIn: Float64Array;
  /** Σ‖x̂‖ */
  readonly #normOut: Float64Array;
  /** Σ‖x̂‖² */
  readonly #outSquares: Float64Array;
  /** Σ x·x̂ */
  readonly #products: Float64Array;
  /** Σ‖x̂‖ / ‖x‖ */
  readonly #norms: Float64Array;
  readonly #fired: Float64Array;
  readonly #firedAnywhere: Float64Array;
  readonly #absolute: Float64Array;

  constructor(inputs: InputSums, view: View) {
    this.#inputs = inputs;
    this.#view = view;
    const perUnit = (): Float64Array => new Float64Array(inputs.units.count);
    this.#error = new SpreadSums(inputs.units.count, inputs.d);
    this.#normalizedError = perUnit();
    this.#relative = perUnit();
    this.#legacy = perUnit();
    this.#cosine = perUnit();
    this.#errorNorm = perUnit();
    this.#normIn = perUnit();
    this.#normOut = perUnit();
    this.#outSquares = perUnit();
    this.#products = perUnit();
    this.#norms = perUnit();
    this.#fired = perUnit();
    this.#firedAnywhere = perUnit();
    this.#absolute = perUnit();
  }

  add(batch: HeldOutBatch, output: ViewOutput, codes: Codes): void {
    for (let r = 0; r < batch.rows; r++) {
      const unit = this.#inputs.units.of(batch.start + r);
      this.#addRow(unit, r, batch, output);
      this.#addCodes(unit, r, codes);
    }
  }

  #addRow(unit: number, r: number, batch: HeldOutBatch, output: ViewOutput): void {
    const { d, mean } = this.#inputs;
    let [square, outSquare, product, error, normalizedError, fromMean] = [0, 0, 0, 0, 0, 0];
    for (let j = 0, at = r * d; j < d; j++, at++) {
      const x = batch.raw[at];
      const y = output.raw[at];
      const e = x - y;
      square += x * x;
      outSquare += y * y;
      product += x * y;
      error += e * e;
      fromMean += (x - mean[j]) ** 2;
      normalizedError += (batch.normalized[at] - output.normalized[at]) ** 2;
      this.#error.vectors[unit * d + j] += e;
    }
    this.#error.squares[unit] += error;
    this.#normalizedError[unit] += normalizedError;
    this.#errorNorm[unit] += Math.sqrt(error);
    this.#normIn[unit] += Math.sqrt(square);
    this.#normOut[unit] += Math.sqrt(outSquare);
    this.#outSquares[unit] += outSquare;
    this.#products[unit] += product;
    if (fromMean > 0) this.#legacy[unit] += 1 - error / fromMean;
    if (square === 0) return;
    this.#relative[unit] += error / square;
    this.#norms[unit] += Math.sqrt(outSquare / square);
    if (outSquare > 0) this.#cosine[unit] += product / Math.sqrt(square * outSquare);
  }

  #addCodes(unit: number, r: number, { rowPtr, index, value }: Codes): void {
    const { from, to } = this.#view;
    for (let e = rowPtr[r]; e < rowPtr[r + 1]; e++) {
      if (value[e] === 0) continue;
      this.#firedAnywhere[unit]++;
      if (index[e] < from || index[e] >= to) continue;
      this.#fired[unit]++;
      this.#absolute[unit] += Math.abs(value[e]);
    }
  }

  metrics(bootstrap: Bootstrap): Metrics {
    const { rows, raw, normalized, aboutOwnMean, nonZero, offMean, d } = this.#inputs;
    const n = total(rows);
    const share = (statistic: (weights: Float64Array) => number, definition: string): Metrics[string] =>
      bootstrap.of(statistic, { n, unit: 'share', definition });
    const perToken = (sums: Float64Array, counts: Float64Array, unit: string, definition: string): Metrics[string] =>
      bootstrap.ratio(sums, counts, { unit, definition });
    return {
      variance_explained: share(
        (w) => 1 - dot(w, this.#error.squares) / raw.about(w, dot(w, rows)),
        'global: 1 − Σ‖x − x̂‖² / Σ‖x − x̄‖², raw activations (input normalisation undone), x̄ = mean over all tokens',
      ),
      variance_explained_normalized: share(
        (w) => 1 - dot(w, this.#normalizedError) / normalized.about(w, dot(w, rows)),
        "global: 1 − Σ‖x − x̂‖² / Σ‖x − x̄‖² in the SAE's input space (after input normalisation)",
      ),
      variance_explained_legacy: perToken(
        this.#legacy,
        offMean,
        'share',
        'SAEBench legacy: mean over tokens of 1 − ‖x − x̂‖² / ‖x − x̄‖², raw activations; the batch whose mean x̄ is, ' +
          'is the whole held-out sample; tokens with x = x̄ left out',
      ),
      // A mean square stands where the square of a mean was meant: for comparisons with that tool's numbers only.
      variance_explained_saebench: share((w) => {
        const [error, squares] = [this.#error.squares, raw.squares].map((sums) => dot(w, sums) / dot(w, rows));
        return 1 - error / (squares - (squares / d) ** 2);
      }, 'SAEBench 0.6 as coded: 1 − E‖x − x̂‖² / (E‖x‖² − (E‖x‖² / d)²), raw activations, the held-out sample as one batch'),
      variance_explained_token_mean: share(
        (w) => 1 - dot(w, this.#error.squares) / dot(w, aboutOwnMean),
        "Tree SAE: 1 − Σ‖x − x̂‖² / Σ_tokens Σ_d (x_d − m)², m = mean of the token's own d elements, raw activations",
      ),
      fraction_variance_explained_dl: share(
        (w) => 1 - this.#error.about(w, dot(w, rows)) / raw.about(w, dot(w, rows)),
        'dictionary_learning: 1 − Σ_d var(x − x̂) / Σ_d var(x), raw activations; a constant offset of x̂ costs nothing',
      ),
      normalized_mse: perToken(
        this.#relative,
        nonZero,
        'ratio',
        'OpenAI: mean over tokens of ‖x − x̂‖² / ‖x‖², raw activations, tokens with x = 0 left out',
      ),
      mse: bootstrap.of((w) => dot(w, this.#error.squares) / (d * dot(w, rows)), {
        n,
        unit: 'squared activation',
        definition: 'Σ‖x − x̂‖² / (tokens · d): squared error per token and dimension, raw activations',
      }),
      error_norm: perToken(
        this.#errorNorm,
        rows,
        'activation',
        'dictionary_learning (l2_loss): mean over tokens of ‖x − x̂‖, raw activations',
      ),
      cosine: perToken(
        this.#cosine,
        nonZero,
        'cosine',
        'mean over tokens of x·x̂ / (‖x‖ ‖x̂‖), 0 where x̂ = 0, raw activations, tokens with x = 0 left out',
      ),
      norm_in: perToken(this.#normIn, rows, 'activation', 'mean over tokens of ‖x‖, raw activations'),
      norm_out: perToken(this.#normOut, rows, 'activation', 'mean over tokens of ‖x̂‖, raw activations'),
      norm_ratio: perToken(
        this.#norms,
        nonZero,
        'ratio',
        'mean over tokens of ‖x̂‖ / ‖x‖, raw activations, tokens with x = 0 left out',
      ),
      relative_reconstruction_bias: bootstrap.of((w) => dot(w, this.#outSquares) / dot(w, this.#products), {
        n,
        unit: 'ratio',
        definition: 'Σ‖x̂‖² / Σ x·x̂, raw activations: below 1 where reconstructions shrink',
      }),
      l0: perToken(
        this.#fired,
        rows,
        'latents per token',
        'mean over tokens of the number of codes ≠ 0 among the latents of the view, that is of this reconstruction',
      ),
      l0_total: perToken(
        this.#firedAnywhere,
        rows,
        'latents per token',
        'mean over tokens of the number of codes ≠ 0 among all latents of the model, all levels',
      ),
      l1: perToken(
        this.#absolute,
        rows,
        'code per token',
        "mean over tokens of Σ|code|, in units of the SAE's input space",
      ),
    };
  }
}

/**
 * Cross entropy and KL divergence of next-token predictions, in nats. Logits are float32, sums float64; every log-sum-exp
 * is taken relative to the largest logit.
 */

/** Positions of a batch whose predictions count. */
export interface Positions {
  /** Row of each position in the logits [n · length, vocab]. */
  readonly rows: Int32Array;
  /** The token that follows; −1 at the end of a sequence: such a position counts for KL only. */
  readonly targets: Int32Array;
  /** Resampled unit of each position. */
  readonly units: Int32Array;
}

/** Sums per unit. */
export class LossSums {
  readonly crossEntropy: Float64Array;
  /** Σ KL(clean ‖ this) */
  readonly divergence: Float64Array;

  constructor(units: number) {
    this.crossEntropy = new Float64Array(units);
    this.divergence = new Float64Array(units);
  }
}

/** What the untouched model predicts at the positions of one batch. */
export class CleanPredictions {
  readonly positions: Positions;
  readonly vocab: number;
  readonly #logits: Float32Array;
  readonly #logSumExp: Float64Array;
  /** exp(logit − largest) [positions, vocab], and their sums as rounded to float32. */
  readonly #weights: Float32Array;
  readonly #totals: Float64Array;

  /** @param logits kept, not copied */
  constructor(logits: Float32Array, vocab: number, positions: Positions) {
    this.positions = positions;
    this.vocab = vocab;
    this.#logits = logits;
    const count = positions.rows.length;
    this.#logSumExp = new Float64Array(count);
    this.#weights = new Float32Array(count * vocab);
    this.#totals = new Float64Array(count);
    for (let i = 0; i < count; i++) this.#addPosition(i);
  }

  #addPosition(i: number): void {
    const at = this.positions.rows[i] * this.vocab;
    const most = largest(this.#logits, at, this.vocab);
    let exact = 0;
    let total = 0;
    for (let v = 0, to = i * this.vocab; v < this.vocab; v++, to++) {
      const weight = Math.exp(this.#logits[at + v] - most);
      exact += weight;
      this.#weights[to] = weight;
      total += this.#weights[to];
    }
    this.#totals[i] = total;
    this.#logSumExp[i] = most + Math.log(exact);
  }

  /** Adds the model's own losses; its divergence from itself is 0. */
  addTo(sums: LossSums): void {
    const { rows, targets, units } = this.positions;
    for (let i = 0; i < rows.length; i++) {
      if (targets[i] < 0) continue;
      sums.crossEntropy[units[i]] += this.#logSumExp[i] - this.#logits[rows[i] * this.vocab + targets[i]];
    }
  }

  /** Adds the losses of other predictions of the same batch: logits [n · length, vocab]. */
  compare(logits: Float32Array, sums: LossSums): void {
    const { vocab } = this;
    const { rows, targets, units } = this.positions;
    for (let i = 0; i < rows.length; i++) {
      const at = rows[i] * vocab;
      const most = largest(logits, at, vocab);
      let total = 0;
      // Σ p (clean logit − other logit): rounding of p cancels where both are equal.
      let difference = 0;
      for (let v = 0, weight = i * vocab; v < vocab; v++, weight++) {
        total += Math.exp(logits[at + v] - most);
        difference += this.#weights[weight] * (this.#logits[at + v] - logits[at + v]);
      }
      const logSumExp = most + Math.log(total);
      if (targets[i] >= 0) sums.crossEntropy[units[i]] += logSumExp - logits[at + targets[i]];
      sums.divergence[units[i]] += difference / this.#totals[i] + logSumExp - this.#logSumExp[i];
    }
  }
}

function largest(logits: Float32Array, at: number, vocab: number): number {
  let most = -Infinity;
  for (let i = at; i < at + vocab; i++) if (logits[i] > most) most = logits[i];
  return most;
}

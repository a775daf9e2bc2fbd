/**
 * The kernels that a device implements: coarse operations without gradients. Each records one step of work and returns.
 * Matrices are row-major; `W` has one row per latent. `accumulate` adds to what `out` holds, otherwise `out` is overwritten.
 * A `block` b means that every entry stands for b consecutive values and b consecutive rows of W (see H-SAE's experts).
 */
import type { Codes, LatentIndex, LatentSet, Tensor } from './device.ts';

/** Constants of one Adam step, computed by the host in double precision. */
export interface AdamStep {
  /** Factor on the gradient (clipping). */
  gradientScale: number;
  beta1: number;
  beta2: number;
  /** lr / (1 − β1^t) */
  stepSize: number;
  /** 1 / √(1 − β2^t) */
  correction: number;
  epsilon: number;
  /** Factor on the parameter before the update: 1 − lr · weight decay (decoupled, AdamW). */
  decay: number;
  /** Weight decay that is part of the gradient (coupled, Adam with L2): added after clipping. */
  coupledDecay: number;
}

/** Latents [from, to). */
export interface LatentRange {
  from: number;
  to: number;
}

/** Where a gradient goes and whether it is added to what is there. */
export interface GradientTarget {
  tensor: Tensor;
  accumulate: boolean;
}

/** Sizes and constants of the two-level experts of H-SAE. */
export interface ExpertShape {
  /** Atoms per expert. */
  atoms: number;
  /** Dimension of an expert's subspace. */
  subspace: number;
  /** Offset of the activation: values below it are multiplied by `slope`. */
  theta: number;
  slope: number;
}

/** Children of every latent p: children[childPtr[p]] … children[childPtr[p + 1] − 1], ascending; both u32. */
export interface Children {
  childPtr: Tensor;
  children: Tensor;
}

/** Encoding: the dense product and the selection. */
export interface EncodingKernels {
  /**
   * codes = the k largest of z per row, z = W x (+ bias) where that is ≥ floor, else 0. Ties go to the lowest latent; rows
   * with fewer than k positive z are filled with value 0 from latent 0 upwards. floor > 0. x [rows, d], W [width, d]; bias is
   * one row [width], a matrix [rows, width] or null.
   */
  encodeTop(codes: Codes, x: Tensor, W: Tensor, bias: Tensor | null, floor: number): void;
  /**
   * Like {@link encodeTop} with k' = min(k, size of the set), scoring only the latents of the set; `codes.perRow` must be open.
   * With k ≥ the size of the set the floor may be −∞: then every latent of the set is an entry of every row, with its score.
   */
  encodeTopAmong(
    codes: Codes,
    x: Tensor,
    W: Tensor,
    bias: Tensor | null,
    floor: number,
    k: number,
    among: LatentSet,
  ): void;
  /** codes = every z ≥ floor; `codes.perRow` must be open. */
  encodeAtLeast(codes: Codes, x: Tensor, W: Tensor, bias: Tensor | null, floor: number): void;
  /** top = the k largest entries per row of `codes`, filled like {@link encodeTop}; position [rows·k] = entry taken, or 2³²−1 for a fill. */
  topOfCodes(top: Codes, position: Tensor, codes: Codes): void;
}

/** Which latents compete for a row of {@link GateKernels.topChildren}, and how. */
export interface Gate {
  /** An entry opens its children with a value > above. */
  above: number;
  /** Scores below it are passed over; floor > 0. */
  floor: number;
  /** The children, and the roots beside them. */
  range: LatentRange;
  /** Scores of latents that are open anyway; null = none. */
  roots: Codes | null;
  /** Children with a counter below the threshold are passed over. */
  only?: { counter: Tensor; threshold: number };
}

/** Encoding through a gate: children of inactive parents are never scored. */
export interface GateKernels {
  /**
   * Each row of `codes` = that row of `before` (null = nothing), then in ascending order the k = codes.perRow − before.perRow
   * largest z ≥ floor among the row's open children c, z = W_c x (+ bias_c), and its entries of `roots` (ties: lowest latent), filled
   * up with value 0 from latent range.from upwards. A child is open for an entry of `parents` (perRow is fixed) with value > above.
   * What competes are distinct latents of `range`, which lies behind those of `before`.
   */
  topChildren(
    codes: Codes,
    before: Codes | null,
    parents: Codes,
    children: Children,
    x: Tensor,
    W: Tensor,
    bias: Tensor | null,
    gate: Gate,
  ): void;
  /** set = latents of `among` with counter ≥ threshold; the lists may not be the same. */
  keepAtLeast(set: LatentSet, among: LatentSet, counter: Tensor, threshold: number): void;
}

/** Routing each row to one expert (Switch). */
export interface RoutingKernels {
  /** p_r = softmax(logits_r) [rows, n]; codes: one entry per row, the largest (ties: lowest) with value 1; chosen_r = its p. */
  route(out: { p: Tensor; codes: Codes; chosen: Tensor }, logits: Tensor): void;
  /** dLogits_rj = p_rj (∂p_rj − Σ_i p_ri ∂p_ri), ∂p_rj = dEvery_j + (j is the entry of row r ? dChosen_r : 0); dChosen null = 0. */
  routeGradient(dLogits: Tensor, p: Tensor, codes: Codes, dChosen: Tensor | null, dEvery: Tensor): void;
  /** out_e (+)= factor_r · values_e for the entries e of row r. */
  scaleEntries(out: Tensor, accumulate: boolean, codes: Codes, values: Tensor, factor: Tensor): void;
  /** out_r (+)= Σ_e a_e b_e over the entries of row r. */
  entryDots(out: Tensor, accumulate: boolean, codes: Codes, a: Tensor, b: Tensor): void;
}

/** Codes with matrices, and the bookkeeping of latents. */
export interface CodesKernels {
  /** out_r = base + Σ_t values_t · W[row of t] over the entries in `range`; base is one row [d], a matrix [rows, d] or null. Values 0 cost nothing. */
  decode(
    out: Tensor,
    codes: Codes,
    values: Tensor,
    W: Tensor,
    base: Tensor | null,
    block?: number,
    range?: LatentRange,
  ): void;
  /** out_t (+)= W[row of t] · vectors_r, 0 where mask_t = 0; entries out of `range` are left alone. */
  gatheredDots(
    out: Tensor,
    accumulate: boolean,
    codes: Codes,
    mask: Tensor | null,
    W: Tensor,
    vectors: Tensor,
    block?: number,
    range?: LatentRange,
  ): void;
  /** Sorts the entries by latent. */
  indexLatents(index: LatentIndex, codes: Codes): void;
  /** out[i·block + b] (+)= Σ_{entries e of latent i} coefficient[e·block + b] · source[row of e]; rows without entries get 0, those out of `range` are left alone. */
  latentGradient(
    out: Tensor,
    accumulate: boolean,
    codes: Codes,
    index: LatentIndex,
    coefficient: Tensor,
    source: Tensor,
    block?: number,
    range?: LatentRange,
  ): void;
  /**
   * Both gradients of {@link decode} in one pass over dOut [rows, d], t = e·block + b: dW[i·block + b] (+)= Σ_e values_t · dOut_row,
   * dValues_t (+)= W[i·block + b] · dOut_row, 0 where mask_t = 0. Without a mask all get theirs, but for block 1 it is by default the
   * values: an entry with value 0 is not active. Latents out of `range` are left alone.
   */
  decodeGradients(
    dValues: GradientTarget,
    dW: GradientTarget,
    codes: Codes,
    index: LatentIndex,
    values: Tensor,
    W: Tensor,
    dOut: Tensor,
    block?: number,
    range?: LatentRange,
    mask?: Tensor | null,
  ): void;
  /** out_t = W[row of t] · vectors_r like {@link gatheredDots}, in the order of latents: better where W is larger than a cache. */
  dotsByLatent(out: Tensor, codes: Codes, index: LatentIndex, W: Tensor, vectors: Tensor, block?: number): void;
  /** out_i (+)= Σ_{entries e of latent i} coefficient_e */
  latentSum(out: Tensor, accumulate: boolean, codes: Codes, index: LatentIndex, coefficient: Tensor): void;
  /** rowSums_r = Σ |value| */
  absoluteRowSums(rowSums: Tensor, codes: Codes): void;
  /** dValue_e (+)= scale · sign(value_e) */
  absoluteGradient(dValue: Tensor, accumulate: boolean, codes: Codes, scale: number): void;
  /** out[position_e] += source_e, skipping fills; positions are distinct. */
  scatterAdd(out: Tensor, source: Tensor, position: Tensor): void;
  /** rowMin_r = smallest positive value of row r, 0 if there is none (f64). */
  smallestPositive(rowMin: Tensor, codes: Codes): void;
  /** counter_i += increment, then 0 where latent i has an entry with value > above (default: any entry). */
  countSinceFired(counter: Tensor, codes: Codes, index: LatentIndex, increment: number, above?: number): void;
  /** set = latents with counter ≥ threshold. */
  listAtLeast(set: LatentSet, counter: Tensor, threshold: number): void;
}

/** The experts of H-SAE. */
export interface ExpertsKernels {
  /** y [entries, s] → c [entries, s], winner [entries], sub [entries], rowSums_r = Σ |q| (f64). E, D [width, a, s]. */
  expertsForward(
    out: { c: Tensor; winner: Tensor; sub: Tensor; rowSums: Tensor },
    codes: Codes,
    y: Tensor,
    E: Tensor,
    D: Tensor,
    shape: ExpertShape,
  ): void;
  /** Gradients of {@link expertsForward}; l1 is the gradient by each |q|. dE and dD are accumulated or overwritten together. */
  expertsBackward(
    out: { dY: Tensor; dE: Tensor; dD: Tensor; accumulate: boolean },
    codes: Codes,
    index: LatentIndex,
    saved: { winner: Tensor; sub: Tensor; y: Tensor; dC: Tensor },
    E: Tensor,
    D: Tensor,
    shape: ExpertShape,
    l1: number,
  ): void;

  /** out (2k per row) = the k top entries of each row, then for each its winner as latent width + j·atoms + m with value sub. */
  joinExperts(out: Codes, top: Codes, winner: Tensor, sub: Tensor, atoms: number): void;
}

/** Codes in tiers: a tier's scores get a part from the codes of the tier below, as a matrix of biases made by `decode`. */
export interface TiersKernels {
  /** out_r = the entries of all parts, those of a part shifted by the widths of the parts before it; `out.width` ≥ the sum of widths. */
  joinCodes(out: Codes, parts: readonly Codes[]): void;
  /**
   * Both gradients of base_r = Σ_j h_rj V[j] by the gradients at some entries of `above` alone (the others are 0):
   * dV[j, i] (+)= Σ_r h_rj dAbove_ri, dBelow_e (+)= Σ_i V[j, i] dAbove_ri where value_e ≠ 0, else 0. `index` is that of `below`, V
   * [below.width, above.width]; dBelow null = not wanted.
   */
  baseGradients(
    dBelow: GradientTarget | null,
    dV: GradientTarget,
    below: Codes,
    index: LatentIndex,
    V: Tensor,
    above: Codes,
    dAbove: Tensor,
  ): void;
  /**
   * Of each positive entry the shares of its score z = W x + c + b: base [rows, width] holds c + b, bias [width] b. composed_r = number of
   * entries with (c)₊ ≥ half of (W x)₊ + (c)₊ + (b)₊ > 0, active_r = number of positive entries (f64 both).
   */
  composedEntries(out: { composed: Tensor; active: Tensor }, codes: Codes, base: Tensor, bias: Tensor): void;
}

/** When a matching pursuit stops before its last step, besides where no score is positive. */
export interface PursuitStops {
  /** Where ‖residual‖ is below; 0 = never. */
  threshold: number;
  /** After a latent was taken a second time. */
  onRepeat: boolean;
}

/** Matching pursuit: again and again the latent that fits best what is left. */
export interface PursuitKernels {
  /**
   * Takes for each row k = codes.perRow times the latent i with the largest positive W_i · r (ties: lowest), v = W_i · r, r −= v W_i.
   * residual [rows, d] holds the inputs and becomes r; `order` holds one entry for each step of each row, in the order of steps, with
   * value 0 (and any latent) for steps not taken; codes = the latents taken with the sum of their v, filled like encodeTop.
   * scores [rows, width] = residual · Wᵀ at the start, used up; gram [width, width] = W Wᵀ.
   */
  pursue(
    out: { residual: Tensor; order: Codes; codes: Codes },
    scores: Tensor,
    gram: Tensor,
    W: Tensor,
    stops: PursuitStops,
  ): void;
  /**
   * Back through the steps of rows [from, to), selections constant: dInput [rows, d] holds ∂residual and becomes ∂input; for every step
   * change = −∂W[latent], with `steps` = the latents with coefficient −1 (0 for a step not taken), one entry for each of the
   * (to − from)·k rows of `changes`: their latentGradient is ∂W.
   */
  pursuitGradients(
    out: { dInput: Tensor; changes: Tensor; steps: Codes },
    order: Codes,
    W: Tensor,
    residual: Tensor,
    range: LatentRange,
  ): void;
}

/** Layer norm of codes. */
export interface LayerNormKernels {
  /**
   * out_r [rows, width] = (h_r − mean) / std over all elements of the row, zeros included (biased, no epsilon: a row of equal elements is
   * 0/0), std [rows]; silent_r (f64) = 1 where no value of the row is positive, else 0.
   */
  normalizeCodes(out: { out: Tensor; std: Tensor; silent: Tensor }, codes: Codes): void;
  /** dValue_e (+)= (dOut_e − mean(dOut_r) − out_e · mean(dOut_r · out_r)) / std_r; `saved` is what normalizeCodes wrote. */
  normalizeCodesGradient(dValue: GradientTarget, codes: Codes, saved: { out: Tensor; std: Tensor }, dOut: Tensor): void;
}

/** Dense rows, flat arrays and scalars. */
export interface DenseKernels {
  /** out = a·bᵀ ('nt'), a·b ('nn') or aᵀ·b ('tn'). */
  product(out: Tensor, a: Tensor, b: Tensor, kind: 'nt' | 'nn' | 'tn'): void;
  /** out_r = x_r − row */
  subtractRow(out: Tensor, x: Tensor, row: Tensor): void;
  /** out (+)= scale · a */
  scale(out: Tensor, accumulate: boolean, a: Tensor, scale: number): void;
  clear(out: Tensor): void;
  /** out[at + i] = a_i, both flat. */
  place(out: Tensor, at: number, a: Tensor): void;
  /** difference = a − b (a itself where b is null), rowSums_r = ‖difference_r‖² (f64); difference may be a. */
  squaredDifference(difference: Tensor, rowSums: Tensor, a: Tensor, b: Tensor | null): void;
  /** out[0] = scale · Σ values (both f64) in ascending order. */
  sum(out: Tensor, values: Tensor, scale: number): void;
  /** out[0] = Σ a·b (f64) over all elements, summed in pieces of fixed size. */
  innerProduct(out: Tensor, a: Tensor, b: Tensor): void;
  /** out[0] = largest element of a (f64). */
  maximum(out: Tensor, a: Tensor): void;
  /** out[0] = a[0] / b[0] (f64), 0 where b = 0. */
  divide(out: Tensor, a: Tensor, b: Tensor): void;
  /** out[0] = scale · a[0] / b[0] (f64) between low and high, high where b = 0; b null = 1. */
  clampedRatio(out: Tensor, a: Tensor, b: Tensor | null, scale: number, low: number, high: number): void;
  /** out[0] = scale · √max(0, Σ weight · term[0]) (f64), at most three terms. */
  rootOfSum(out: Tensor, terms: readonly { term: Tensor; weight: number }[], scale: number): void;
  /** out (+)= (scale / divisor[0]) · a, where divisor[0] = 0: nothing; divisor f64. */
  scaleBy(out: Tensor, accumulate: boolean, a: Tensor, scale: number, divisor: Tensor): void;
  /** out [cols] (+)= scale · Σ_r weights_r · a_r; weights null = all ones. */
  columnSum(out: Tensor, accumulate: boolean, a: Tensor, weights: Tensor | null, scale: number): void;
  /** out_r = a_r · b_r; b [rows, d] or one row [d]. */
  rowDots(out: Tensor, a: Tensor, b: Tensor): void;
  /** out_r (+)= scale · weights_r · a_r; weights null = all ones, a [rows, d] or one row [d]. */
  scaleRows(out: Tensor, accumulate: boolean, weights: Tensor | null, a: Tensor, scale: number): void;
}

/** Tokens standardised one by one. */
export interface StandardizeKernels {
  /** out_r = (x_r − mean_r) / (std_r + epsilon): mean and unbiased standard deviation of the row's own elements, [rows] each. */
  standardizeRows(out: { out: Tensor; mean: Tensor; std: Tensor }, x: Tensor, epsilon: number): void;
  /** out_r = a_r · std_r + mean_r; out may be a. */
  restoreRows(out: Tensor, a: Tensor, std: Tensor, mean: Tensor): void;
  /** out[0] = unbiased variance of all elements of a, one mean for all, + epsilon (f64). */
  variance(out: Tensor, a: Tensor, epsilon: number): void;
}

/** Selection over a whole batch, and scalars of selections. */
export interface BatchTopKernels {
  /**
   * codes = the `total` largest z of all rows together, fewer if fewer are ≥ floor; z and floor as in {@link EncodingKernels.encodeTop}.
   * Ties go to the lowest row, then to the lowest latent. `codes.perRow` must be open.
   */
  encodeBatchTop(codes: Codes, x: Tensor, W: Tensor, bias: Tensor | null, floor: number, total: number): void;
  /** out[0] = smallest positive of the values, 0 if there is none (both f64). */
  leastPositive(out: Tensor, values: Tensor): void;
  /** out[0] = number of latents in the set (f64). */
  setSize(out: Tensor, set: LatentSet): void;
}

/** The update of parameters. */
export interface UpdateKernels {
  /**
   * gradient_r −= (gradient_r · u) u, u = W_r / (‖W_r‖ + epsilon), or W_r itself for 'raw'; rows are the last axis.
   * square[0] = Σ gradient² afterwards (f64), summed row by row.
   */
  projectRows(gradient: Tensor, square: Tensor, W: Tensor, epsilon: number | 'raw'): void;
  /** W_r /= ‖W_r‖ + epsilon; rows of zeros stay. */
  normalizeRows(W: Tensor, epsilon: number): void;
  /** Gradient through u_r = W_r / (‖W_r‖ + ε): dW_r (+)= dU_r/(n+ε) − W_r (W_r·dU_r)/(n (n+ε)²), n = ‖W_r‖. */
  normalizeRowsGradient(dW: Tensor, accumulate: boolean, dU: Tensor, W: Tensor, epsilon: number): void;
  /** One Adam step (see {@link AdamStep}); with `unitRows` each row is then divided by its norm + epsilon, as in {@link normalizeRows}. */
  adam(parameter: Tensor, gradient: Tensor, m: Tensor, v: Tensor, step: AdamStep, unitRows?: { epsilon: number }): void;
}

/** Gated codes: latents that a gate lets through, with magnitudes of their own. */
export interface GatedMagnitudeKernels {
  /** out_e = max(0, gain_i (gate_e − gateBias_i) + magnitudeBias_i) of entry e of latent i; the values of `gate` are the open gates' scores. */
  gateMagnitudes(out: Tensor, gate: Codes, gain: Tensor, gateBias: Tensor, magnitudeBias: Tensor): void;
  /**
   * Gradients of {@link gateMagnitudes}, gain = e^r. With m = dMagnitude_e where magnitude_e > 0, else 0: gate (+)= gain_i m per entry,
   * and per latent gateBias (+)= −gain_i Σ m, magnitudeBias (+)= Σ m, r (+)= gain_i Σ m (gate_e − gateBias_i).
   */
  gateGradients(
    out: { gate: GradientTarget; r: GradientTarget; gateBias: GradientTarget; magnitudeBias: GradientTarget },
    gate: Codes,
    index: LatentIndex,
    saved: { magnitude: Tensor; dMagnitude: Tensor },
    gain: Tensor,
    gateBias: Tensor,
  ): void;
}

/** What a penalty makes of u = value · norm: u itself, or tanh(scale · u). */
export interface PenaltyShape {
  kind: 'l1' | 'tanh';
  scale: number;
}

/** Penalties weighted by the norms of decoder rows. */
export interface PenaltyKernels {
  /** out_i = ‖W_i‖ [width]; rows are the last axis. */
  rowNorms(out: Tensor, W: Tensor): void;
  /** rowSums_r = Σ_e φ(u_e) (f64), u_e = value_e · norms_i, i the latent of e. */
  normWeightedSums(rowSums: Tensor, codes: Codes, norms: Tensor, shape: PenaltyShape): void;
  /** dValue_e (+)= seed · φ'(u_e) · norms_i; coefficient_e = seed · φ'(u_e) · value_e / norms_i, 0 where the norm is 0. */
  normWeightedGradient(
    out: { dValue: GradientTarget | undefined; coefficient: Tensor },
    codes: Codes,
    norms: Tensor,
    shape: PenaltyShape,
    seed: number,
  ): void;
}

/** Where scores lie by their thresholds: the open window |z_e − threshold_i| < bandwidth / 2. */
export interface Window {
  /** [entries] */
  z: Tensor;
  /** [width] */
  threshold: Tensor;
  bandwidth: number;
}

/** Thresholds that are learned straight through (JumpReLU), and arithmetic on entries. */
export interface JumpKernels {
  /** out_i = bias_i − threshold_i + offset; no bias is 0. */
  liftBias(out: Tensor, bias: Tensor | null, threshold: Tensor, offset: number): void;
  /** z_e = value of `codes` − (lifted_i − bias_i), value_e = z_e where z_e > threshold_i, else 0. */
  jump(out: { z: Tensor; value: Tensor }, codes: Codes, lifted: Tensor, bias: Tensor | null, threshold: Tensor): void;
  /** out_i (+)= scale · threshold_i · Σ weight_e over the entries of latent i in the window. */
  windowSum(out: GradientTarget, index: LatentIndex, window: Window, weight: Tensor, scale: number): void;
  /**
   * out_i (+)= scale · factor[0] · n_i (factor f64, default 1): n_i = entries of latent i in the window. With `inactiveOf` rows: entries
   * of i in the window and above the threshold, and all rows without an entry above it where 0 is in the window.
   */
  windowCount(
    out: GradientTarget,
    index: LatentIndex,
    window: Window,
    count: { scale: number; factor?: Tensor; inactiveOf?: number; range?: LatentRange },
  ): void;
  /** rowSums_r = number of entries with value ≠ 0 of latents in the range (f64). */
  countActive(rowSums: Tensor, codes: Codes, range?: LatentRange): void;
  /** excess[0] = a[0] / target − 1, square[0] = excess² (f64). */
  squaredExcess(out: { excess: Tensor; square: Tensor }, a: Tensor, target: number): void;
  /** out_e = max(0, threshold_i − value_e) */
  thresholdGap(out: Tensor, codes: Codes, threshold: Tensor): void;
  /** out_e = factor_i, i the latent of e. */
  spreadLatents(out: Tensor, codes: Codes, factor: Tensor): void;
  /** out = exp(a) */
  exponential(out: Tensor, a: Tensor): void;
  /** out = max(0, a) */
  rectify(out: Tensor, a: Tensor): void;
  /** out (+)= a · b, element by element. */
  multiply(out: Tensor, accumulate: boolean, a: Tensor, b: Tensor): void;
  /** out (+)= scale · a where mask ≠ 0, else 0. */
  scaleWhere(out: Tensor, accumulate: boolean, a: Tensor, mask: Tensor, scale: number): void;
  /**
   * s_r = ‖residual_r‖ / (1e-6 + 2‖ghost_r‖), δ = s_r ghost − residual, w = residual² / (δ² + 1e-6) element by element:
   * rowSums_r = Σ w δ² (f64), gradient = s_r w δ.
   */
  ghostError(out: { gradient: Tensor; rowSums: Tensor }, ghost: Tensor, residual: Tensor): void;
}

/** Two neighbouring levels: parents are latents [from, split), children [split, to). */
export interface FamilyLevels {
  from: number;
  split: number;
  to: number;
}

/** Who is whose parent. */
export interface FamilyLinks {
  /** u32 [width]: parent of each latent, 2³² − 1 for none. */
  parents: Tensor;
  /** u32 [width]: 0 for latents without children. */
  hasChildren: Tensor;
}

/** The parent–child loss of a feature forest. W [width, d] has the rows d_i. */
export interface FamilyKernels {
  /**
   * In each row, for each family (a parent that has children, and these) with an entry: r = a_p d_p − Σ a_c d_c over its entries,
   * rowSums_row = Σ ‖r‖² (f64), dValue_p = 2 d_p·r, dValue_c = −2 d_c·r; 0 for entries in no family of these levels. next (u32
   * [entries]) links the entries of a family into a ring, 2³² − 1 = in none.
   */
  familyResiduals(
    out: { dValue: Tensor; next: Tensor; rowSums: Tensor },
    codes: Codes,
    W: Tensor,
    families: FamilyLevels & FamilyLinks,
  ): void;
  /**
   * out [children, parents + 1]: every active entry of child c adds weight to out[c, p] for each parent p active in the same row, and
   * to out[c, parents] for itself.
   */
  coActivate(out: Tensor, codes: Codes, index: LatentIndex, levels: FamilyLevels, weight: number): void;
  /** dW_m += scale · σ_m Σ_k σ_k (Σ_rows a_m a_k) d_k over the members k of m's family, σ = 1 for its parent, −1 for children. */
  familyGradient(
    dW: Tensor,
    codes: Codes,
    index: LatentIndex,
    next: Tensor,
    W: Tensor,
    levels: FamilyLevels,
    scale: number,
  ): void;
}

export interface Kernels
  extends
    EncodingKernels,
    BatchTopKernels,
    GateKernels,
    RoutingKernels,
    JumpKernels,
    GatedMagnitudeKernels,
    CodesKernels,
    ExpertsKernels,
    PenaltyKernels,
    TiersKernels,
    PursuitKernels,
    LayerNormKernels,
    DenseKernels,
    StandardizeKernels,
    UpdateKernels,
    FamilyKernels {}

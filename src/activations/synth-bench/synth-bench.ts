/**
 * SynthSAEBench (Chanin and Garriga-Alonso 2026, arXiv 2602.14687; SAELens `sae_lens/synthetic`), at any size: activations that are sums
 * of the directions of a known hierarchy's active features, whose frequencies follow a power law and which fire together a little:
 *
 *   x = Σ_i a_i g_i + b,  a_i = relu(μ_i + σ_i N(0, 1)) where feature i fires, masked, scaled and excluded by its hierarchy
 *
 * Numbers come from this library's streams: they equal the published construction in distribution.
 */
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { z } from 'zod';
import { grown } from '../../core/arrays.ts';
import type { Codes } from '../../core/codes.ts';
import { parseConfig } from '../../core/config.ts';
import { normalTail } from '../../core/normal-distribution.ts';
import { Random } from '../../core/random.ts';
import type { Forest } from '../../forest/forest.ts';
import type { Normalization } from '../normalization.ts';
import type { ActivationSource, SourceIdentity } from '../source.ts';
import { synthBenchSchema, type SynthBenchConfig } from './config.ts';
import { CorrelatedFiring } from './correlated-firing.ts';
import { drawDirections, type Directions } from './directions.ts';
import { Hierarchy, type Activation } from './hierarchy.ts';
import { compensationFactors, firingRates, zipfProbabilities } from './rates.ts';
import { RowKernels } from './row-kernels.ts';

const STREAM = 'synth-bench';

/** Rows of a batch that are made in some five milliseconds. */
const PIECE = 64;

export class SynthBench implements ActivationSource {
  readonly config: SynthBenchConfig;
  readonly d: number;
  readonly trainRows = Infinity;
  readonly heldOutRows: number;
  readonly normalization: Normalization = { kind: 'none' };
  readonly identity: SourceIdentity;
  readonly hierarchy: Hierarchy;
  /** The true forest over the features. */
  readonly truth: Forest;
  /** `[features]` compensated probability to fire where nothing forbids it. */
  readonly firing: Float64Array;
  /** `[features]` μ and σ. */
  readonly mean: Float64Array;
  readonly spread: Float64Array;
  /** `[features]` P(on), exact for a correlation rank of 0 and a little off otherwise. */
  readonly probability: Float64Array;
  /** `[features, d]` g, unit norms. */
  readonly directions: Float32Array;
  /** `[d]` b. */
  readonly bias: Float32Array;
  readonly #seed: number;
  readonly #correlated: CorrelatedFiring;
  /** `[features]` root node of the hierarchy that stands for each, −1 for the others. */
  readonly #rootOf: Int32Array;
  readonly #row: RowInTheMaking;
  readonly #kernels: RowKernels;
  /** `[d]` x of the row in the making. */
  readonly #x: Float32Array;

  /**
   * Directions of the published size take about a minute and a half of one core, once: they are kept in the cache folder.
   * @param note told when they have to be made
   * @throws ConfigError
   */
  static async open(
    seed: number,
    settings: z.input<typeof synthBenchSchema> = {},
    note: (line: string) => void = () => {},
  ): Promise<SynthBench> {
    const config = parseConfig(synthBenchSchema, settings, 'synthetic:bench-16k');
    const kernels = await RowKernels.create();
    return new SynthBench(seed, config, kernels, await drawDirections(seed, config, kernels, note));
  }

  private constructor(seed: number, config: SynthBenchConfig, kernels: RowKernels, { directions, bias }: Directions) {
    const { features } = config;
    this.config = config;
    this.d = config.d;
    this.heldOutRows = config.heldOutRows;
    this.directions = directions;
    this.bias = bias;
    this.#seed = seed;
    this.hierarchy = Hierarchy.complete(features, config);
    this.truth = this.hierarchy.truth;
    this.mean = Float64Array.from({ length: features }, (_, i) => {
      return config.firstMean + (features === 1 ? 0 : (config.lastMean - config.firstMean) * (i / (features - 1)));
    });
    const spreads = new Random(seed, STREAM, 'spreads');
    this.spread = Float64Array.from({ length: features }, () =>
      Math.abs(config.spreadMean + config.spreadSpread * spreads.normal()),
    );
    const base = zipfProbabilities(features, config.exponent, config.maxProbability, config.minProbability);
    const factors = config.compensate ? compensationFactors(this.hierarchy, base) : base.map(() => 1);
    this.firing = base.map((p, i) => Math.min(1, p * factors[i]));
    // A magnitude that is not positive silences a feature that fired.
    const loud = this.firing.map((p, i) => p * (1 - normalTail(this.mean[i] / this.spread[i])));
    this.probability = firingRates(this.hierarchy, loud);
    const { roots } = this.hierarchy.forest;
    this.#rootOf = new Int32Array(features).fill(-1);
    for (const root of roots) this.#rootOf[this.hierarchy.feature[root]] = root;
    const independent = Int32Array.from(roots, (root) => this.hierarchy.feature[root]);
    this.#correlated = new CorrelatedFiring(
      kernels,
      this.firing,
      Int32Array.from([...independent, ...this.hierarchy.free]),
      { rank: config.correlationRank, scale: config.correlationScale },
      new Random(seed, STREAM, 'correlation'),
    );
    this.#kernels = kernels;
    this.#x = kernels.f32(config.d);
    this.#row = new RowInTheMaking(kernels, this.#correlated, this);
    const description = { seed, ...config };
    const hash = createHash('sha256').update(JSON.stringify(description)).digest('hex');
    this.identity = { kind: STREAM, hash, description };
  }

  /** Number of features. */
  get features(): number {
    return this.config.features;
  }

  /** Expected number of features that are on; as exact as {@link probability}. */
  get trueL0(): number {
    return this.probability.reduce((sum, p) => sum + p, 0);
  }

  /** Such as `root 2`, `root 2.1.3` or `free 17`, counted from 1. */
  nameOf(feature: number): string {
    const [first, ...others] = [...this.truth.ancestors(feature).toReversed(), feature];
    if (first >= this.config.roots) return `free ${first - this.config.roots + 1 - this.truth.edgeCount}`;
    let name = `root ${first + 1}`;
    let above = first;
    for (const child of others) {
      name += `.${child - this.truth.children(above)[0] + 1}`;
      above = child;
    }
    return name;
  }

  /**
   * Training batch `index`: a pure function of (seed, index); its first rows are the same whatever the number of rows.
   * @param out `[rows, d]`
   * @returns the features that are on, with their activations
   */
  sample(index: number, out: Float32Array): Codes {
    const random = new Random(this.#seed, STREAM, 'train', index);
    return this.#fill(out, () => random);
  }

  /** The same in pieces: a batch is made while other threads train on the one before, and these must be heard. */
  async batch(index: number, out: Float32Array): Promise<void> {
    const random = new Random(this.#seed, STREAM, 'train', index);
    const piece = PIECE * this.d;
    for (let at = 0; at < out.length; at += piece) {
      await setImmediate();
      this.#fill(out.subarray(at, at + piece), () => random);
    }
  }

  async heldOut(start: number, out: Float32Array): Promise<number> {
    return this.heldOutSample(start, out).rows;
  }

  /** Held-out rows from `start` on into `out` `[rows, d]`, fewer at the end, and the features that are on. */
  heldOutSample(start: number, out: Float32Array): Codes {
    const rows = Math.max(0, Math.min(out.length / this.d, this.heldOutRows - start));
    const filled = out.subarray(0, rows * this.d);
    return this.#fill(filled, (r) => new Random(this.#seed, STREAM, 'held-out', start + r));
  }

  async close(): Promise<void> {}

  #fill(out: Float32Array, randomOf: (row: number) => Random): Codes {
    const { d } = this;
    const rows = out.length / d;
    const row = this.#row;
    const rowPtr = new Uint32Array(rows + 1);
    let index = new Uint32Array(64 * rows);
    let value = new Float32Array(64 * rows);
    let end = 0;
    for (let r = 0; r < rows; r++) {
      this.#draw(randomOf(r));
      this.#write(out, r * d);
      const { feature, value: values, count } = row;
      index = grown(index, end + count);
      value = grown(value, end + count);
      for (let e = 0; e < count; e++, end++) {
        index[end] = feature[e];
        value[end] = values[e];
      }
      rowPtr[r + 1] = end;
    }
    return { rows, width: this.features, rowPtr, index: index.slice(0, end), value: value.slice(0, end) };
  }

  /** Which features are on, into the row in the making. */
  #draw(random: Random): void {
    const row = this.#row;
    row.start(random);
    this.#correlated.startRow(random);
    this.#correlated.eachIndependent(random, (feature) => {
      const value = row.magnitude(feature);
      if (value === 0) return;
      row.emit(feature, value);
      const root = this.#rootOf[feature];
      if (root !== -1) this.hierarchy.activateBelow(root, value, this.mean, row);
    });
  }

  /** x = Σ a g + b */
  #write(out: Float32Array, at: number): void {
    const { directions, bias, d } = this;
    const { feature, value, count } = this.#row;
    const { run } = this.#kernels;
    const x = this.#x;
    run.weightedRows(
      directions.byteOffset,
      feature.byteOffset,
      value.byteOffset,
      count,
      bias.byteOffset,
      x.byteOffset,
      d,
    );
    out.set(x, at);
  }
}

/** The features that are on in one row, in the order in which they are found. */
class RowInTheMaking implements Activation {
  count = 0;
  readonly feature: Uint32Array;
  readonly value: Float32Array;
  readonly #correlated: CorrelatedFiring;
  readonly #mean: Float64Array;
  readonly #spread: Float64Array;
  #random = new Random(0);

  constructor(
    kernels: RowKernels,
    correlated: CorrelatedFiring,
    { mean, spread }: Pick<SynthBench, 'mean' | 'spread'>,
  ) {
    this.#correlated = correlated;
    this.#mean = mean;
    this.#spread = spread;
    this.feature = kernels.u32(mean.length);
    this.value = kernels.f32(mean.length);
  }

  start(random: Random): void {
    this.#random = random;
    this.count = 0;
  }

  /** relu(μ + σN) of a feature that fires. */
  magnitude(feature: number): number {
    return Math.max(0, this.#mean[feature] + this.#spread[feature] * this.#random.normal());
  }

  raw(feature: number): number {
    return this.#correlated.fires(feature, this.#random) ? this.magnitude(feature) : 0;
  }

  choose(_node: number, features: readonly number[]): number {
    return features[this.#random.below(features.length)];
  }

  emit(feature: number, value: number): void {
    this.feature[this.count] = feature;
    this.value[this.count++] = value;
  }
}

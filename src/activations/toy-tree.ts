/**
 * Nabeshima's toy tree (noanabeshima/matryoshka-saes: tree.json, toy_model.py), at any size: activations
 * that are sums of the directions of a known forest's active features.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { parseConfig } from '../core/config.ts';
import { Random } from '../core/random.ts';
import { Forest } from '../forest/forest.ts';
import type { Normalization } from './normalization.ts';
import type { ActivationSource, SourceIdentity } from './source.ts';

const MAX_ELEMENTS = 2 ** 26;

/** Defaults are the paper's tree: 20 features, mean L0 3·.15·(1 + 3·.2) + 8·.05 = 1.12. */
export const toyTreeSchema = z
  .strictObject({
    /** Number of trees. */
    roots: z.int().min(0).default(3),
    /** Children of every inner feature. */
    branching: z.int().min(0).default(3),
    /** Levels of a tree; 1 = roots only. */
    depth: z.int().min(1).max(16).default(2),
    /** Features outside the trees, independent of everything. */
    leaves: z.int().min(0).default(8),
    rootProbability: z.number().min(0).max(1).default(0.15),
    /** P(child | parent) of each child. */
    childProbability: z.number().min(0).max(1).default(0.2),
    /** At most one child of a feature at a time; otherwise siblings are independent given their parent. */
    exclusive: z.boolean().default(true),
    leafProbability: z.number().min(0).max(1).default(0.05),
    /** Width of an activation. */
    d: z.int().min(1).default(20),
    /** Every direction is scaled once by 1 + scaleSpread·N(0, 1). */
    scaleSpread: z.number().min(0).default(0.05),
    heldOutRows: z.int().min(0).default(20_000),
  })
  .refine((c) => !c.exclusive || c.branching * c.childProbability <= 1 + 1e-9, {
    error: 'exclusive children need branching · childProbability ≤ 1',
  })
  .refine((c) => featureCount(c) > 0, { error: 'the tree has no features' })
  .refine((c) => featureCount(c) * c.d <= MAX_ELEMENTS, { error: `more than ${MAX_ELEMENTS} direction elements` });
export type ToyTreeConfig = z.output<typeof toyTreeSchema>;

/** Held-out rows are drawn in blocks of this many, so that any range of them can be had without those before it. */
const HELD_OUT_BLOCK = 1024;

/**
 * Features are numbered as in the paper: each tree in preorder, then the independent leaves. A feature is on (1) or off (0);
 * a child only while its parent is on.
 */
export class ToyTree implements ActivationSource {
  readonly config: ToyTreeConfig;
  readonly d: number;
  readonly trainRows = Infinity;
  readonly heldOutRows: number;
  readonly normalization: Normalization = { kind: 'none' };
  readonly identity: SourceIdentity;
  /** The true forest over the features. */
  readonly truth: Forest;
  /** `[features]` such as `root 2`, `root 2.1`, `leaf 5`. */
  readonly names: readonly string[];
  /** `[features]` P(on). */
  readonly probability: Float64Array;
  /** `[features, d]` scaled directions: orthogonal when features ≤ d, otherwise independent and uniform on the sphere. */
  readonly directions: Float32Array;
  readonly #seed: number;
  /** Number of features in a tree that starts at level l. */
  readonly #treeSize: number[];

  /** @throws ConfigError */
  constructor(seed: number, settings: z.input<typeof toyTreeSchema> = {}) {
    const config = parseConfig(toyTreeSchema, settings, 'synthetic:toy-tree');
    this.config = config;
    this.d = config.d;
    this.heldOutRows = config.heldOutRows;
    this.#seed = seed;
    this.#treeSize = treeSizes(config);
    const { parent, names } = describeFeatures(config);
    this.truth = new Forest(parent);
    this.names = names;
    this.probability = marginals(config, this.truth);
    this.directions = drawDirections(names.length, config, new Random(seed, 'toy-tree', 'directions'));
    const description = { seed, ...config };
    const hash = createHash('sha256').update(JSON.stringify(description)).digest('hex');
    this.identity = { kind: 'toy-tree', hash, description };
  }

  /** Number of features. */
  get features(): number {
    return this.names.length;
  }

  /** Expected number of features that are on. */
  get trueL0(): number {
    return this.probability.reduce((sum, p) => sum + p, 0);
  }

  /**
   * Training batch `index`: a pure function of (seed, index, rows).
   * @param out `[rows, d]`; @param on `[rows, features]`, 1 where a feature is on
   */
  sample(index: number, out: Float32Array, on?: Uint8Array): void {
    this.#draw(new Random(this.#seed, 'toy-tree', 'train', index), out.length / this.d, out, on);
  }

  async batch(index: number, out: Float32Array): Promise<void> {
    this.sample(index, out);
  }

  async heldOut(start: number, out: Float32Array): Promise<number> {
    const rows = this.#heldOutCount(start, out.length / this.d);
    const block = new Float32Array(HELD_OUT_BLOCK * this.d);
    this.#eachHeldOutBlock(start, rows, (random, from, to, at) => {
      this.#draw(random, HELD_OUT_BLOCK, block, undefined);
      out.set(block.subarray(from * this.d, to * this.d), at * this.d);
    });
    return rows;
  }

  /** Which features are on in held-out rows `[start, start + rows)`: `[rows, features]`, fewer rows at the end. */
  heldOutTruth(start: number, rows: number): Uint8Array {
    const count = this.#heldOutCount(start, rows);
    const truth = new Uint8Array(count * this.features);
    const block = new Uint8Array(HELD_OUT_BLOCK * this.features);
    this.#eachHeldOutBlock(start, count, (random, from, to, at) => {
      this.#draw(random, HELD_OUT_BLOCK, undefined, block);
      truth.set(block.subarray(from * this.features, to * this.features), at * this.features);
    });
    return truth;
  }

  async close(): Promise<void> {}

  #heldOutCount(start: number, rows: number): number {
    return Math.max(0, Math.min(rows, this.heldOutRows - start));
  }

  /** Calls back with rows `from … to − 1` of each block in the range, which go to row `at` of the answer. */
  #eachHeldOutBlock(
    start: number,
    rows: number,
    visit: (random: Random, from: number, to: number, at: number) => void,
  ): void {
    for (let at = 0; at < rows;) {
      const block = Math.floor((start + at) / HELD_OUT_BLOCK);
      const from = start + at - block * HELD_OUT_BLOCK;
      const to = Math.min(HELD_OUT_BLOCK, from + rows - at);
      visit(new Random(this.#seed, 'toy-tree', 'held-out', block), from, to, at);
      at += to - from;
    }
  }

  #draw(random: Random, rows: number, out: Float32Array | undefined, on: Uint8Array | undefined): void {
    out?.fill(0);
    on?.fill(0);
    const { config, d, directions, features } = this;
    const { branching, childProbability, depth, exclusive } = config;
    const treeSize = this.#treeSize;

    const turnOn = (row: number, feature: number): void => {
      if (on) on[row * features + feature] = 1;
      if (out) addRow(out, row * d, directions, feature * d, d);
    };
    const turnOnTree = (row: number, feature: number, level: number): void => {
      turnOn(row, feature);
      if (level + 1 === depth) return;
      if (exclusive) {
        const child = Math.floor(random.uniform() / childProbability);
        if (child < branching) turnOnTree(row, feature + 1 + child * treeSize[level + 1], level + 1);
      } else {
        for (let child = 0; child < branching; child++) {
          if (random.uniform() >= childProbability) continue;
          turnOnTree(row, feature + 1 + child * treeSize[level + 1], level + 1);
        }
      }
    };
    eachSuccess(random, rows, config.roots, config.rootProbability, (row, i) => turnOnTree(row, i * treeSize[0], 0));
    const firstLeaf = config.roots * treeSize[0];
    eachSuccess(random, rows, config.leaves, config.leafProbability, (row, i) => turnOn(row, firstLeaf + i));
  }
}

function addRow(out: Float32Array, to: number, rows: Float32Array, from: number, d: number): void {
  for (let k = 0; k < d; k++) out[to + k] += rows[from + k];
}

/**
 * Visits the successes of rows × units independent draws with probability p, row by row. The gaps between them are drawn
 * from the geometric distribution, so that the cost is that of the successes alone.
 */
function eachSuccess(
  random: Random,
  rows: number,
  units: number,
  p: number,
  visit: (row: number, unit: number) => void,
): void {
  if (p === 0) return;
  const logMiss = Math.log1p(-p);
  const gap = (): number => Math.floor(Math.log(1 - random.uniform()) / logMiss);
  for (let at = gap(); at < rows * units; at += 1 + gap()) {
    const row = Math.floor(at / units);
    visit(row, at - row * units);
  }
}

interface Shape {
  readonly roots: number;
  readonly branching: number;
  readonly depth: number;
  readonly leaves: number;
}

function treeSizes({ branching, depth }: Shape): number[] {
  const sizes = Array.from({ length: depth }, () => 1);
  for (let level = depth - 2; level >= 0; level--) sizes[level] = 1 + branching * sizes[level + 1];
  return sizes;
}

function featureCount(shape: Shape): number {
  return shape.roots * treeSizes(shape)[0] + shape.leaves;
}

function describeFeatures({ roots, branching, depth, leaves }: Shape): { parent: number[]; names: string[] } {
  const parent: number[] = [];
  const names: string[] = [];
  const addTree = (above: number, name: string, level: number): void => {
    const node = parent.push(above) - 1;
    names.push(name);
    if (level + 1 === depth) return;
    for (let child = 1; child <= branching; child++) addTree(node, `${name}.${child}`, level + 1);
  };
  for (let root = 1; root <= roots; root++) addTree(-1, `root ${root}`, 0);
  for (let leaf = 1; leaf <= leaves; leaf++) {
    parent.push(-1);
    names.push(`leaf ${leaf}`);
  }
  return { parent, names };
}

function marginals(config: ToyTreeConfig, truth: Forest): Float64Array {
  const firstLeaf = truth.size - config.leaves;
  const probability = new Float64Array(truth.size);
  for (const node of truth.order) {
    const above = truth.parent[node];
    if (above === -1) probability[node] = node < firstLeaf ? config.rootProbability : config.leafProbability;
    else probability[node] = probability[above] * config.childProbability;
  }
  return probability;
}

/** Gaussian rows made orthonormal by Gram–Schmidt (the Q of a QR decomposition) while there is room, then scaled. */
function drawDirections(features: number, { d, scaleSpread }: ToyTreeConfig, random: Random): Float32Array {
  const rows = Float64Array.from({ length: features * d }, () => random.normal());
  const row = (i: number): Float64Array => rows.subarray(i * d, (i + 1) * d);
  // Twice: one pass leaves rounding errors of nearly dependent rows.
  const passes = features <= d ? 2 : 0;
  for (let i = 0; i < features; i++) {
    for (let pass = 0; pass < passes; pass++) {
      for (let j = 0; j < i; j++) addScaled(row(i), row(j), -dot(row(i), row(j)));
    }
    const norm = Math.sqrt(dot(row(i), row(i)));
    for (let k = i * d; k < (i + 1) * d; k++) rows[k] /= norm;
  }
  for (let i = 0; i < features; i++) {
    const scale = 1 + scaleSpread * random.normal();
    for (let k = i * d; k < (i + 1) * d; k++) rows[k] *= scale;
  }
  return Float32Array.from(rows);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
  return sum;
}

function addScaled(a: Float64Array, b: Float64Array, factor: number): void {
  for (let k = 0; k < a.length; k++) a[k] += factor * b[k];
}

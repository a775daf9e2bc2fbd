/**
 * Who may be on with whom: a forest of nodes over features, as SAELens has it (`sae_lens/synthetic/hierarchy`).
 *
 * From the roots down, for every node that is on:
 * 1. of an exclusive node's child features that fired, one stays, each with the same probability;
 * 2. children that scale are multiplied by a_p / μ_p, where p is the nearest feature at or above the node, a_p its value (already
 *    scaled, so that factors compound) and μ_p its configured mean; children of a node that is off are silent.
 *
 * A node may stand for no feature (an *organisational* node): it is on when the nearest feature above it is, always without one.
 */
import { Forest } from '../../forest/forest.ts';

export interface HierarchyNode {
  /** null for an organisational node. */
  readonly feature: number | null;
  /** Whether at most one of its child features is on. */
  readonly exclusive: boolean;
  /** Whether its children are scaled. */
  readonly scales: boolean;
  readonly children: readonly HierarchyNode[];
}

/** What a pass down the hierarchy asks for, and what it finds. */
export interface Activation {
  /** Magnitude of a feature if it was alone in the world, 0 where it does not fire. Asked at most once for each. */
  raw(feature: number): number;
  /** Which of several child features of an exclusive node stays. */
  choose(node: number, features: readonly number[]): number;
  /** A feature that is on, in preorder. */
  emit(feature: number, value: number): void;
}

export class Hierarchy {
  readonly features: number;
  /** Over the nodes. */
  readonly forest: Forest;
  /** `[nodes]` −1 for organisational ones. */
  readonly feature: Int32Array;
  readonly exclusive: Uint8Array;
  readonly scales: Uint8Array;
  /** `[nodes]` the nearest feature at or above each, −1 for none. */
  readonly carrier: Int32Array;
  /** The forest over the features: the parent is the nearest feature above. */
  readonly truth: Forest;
  /** Children of node i are `childIndex[childPtr[i] … childPtr[i + 1])`. */
  readonly #childPtr: Int32Array;
  readonly #childIndex: Int32Array;
  /** Magnitudes of the children that are being looked at. */
  readonly #raw: Float64Array;

  /**
   * @param parent `[nodes]` −1 for roots
   * @param feature `[nodes]` −1 for organisational nodes; features that no node has are free
   */
  constructor(
    features: number,
    parent: ArrayLike<number>,
    feature: Int32Array,
    exclusive: Uint8Array,
    scales: Uint8Array,
  ) {
    this.features = features;
    this.forest = new Forest(parent);
    this.feature = feature;
    this.exclusive = exclusive;
    this.scales = scales;
    this.#raw = new Float64Array(feature.length);
    this.carrier = new Int32Array(feature.length);
    const families = Array.from(feature, (_, node) => this.forest.children(node));
    this.#childPtr = new Int32Array(feature.length + 1);
    families.forEach((children, node) => (this.#childPtr[node + 1] = this.#childPtr[node] + children.length));
    this.#childIndex = Int32Array.from(families.flatMap((children) => [...children]));
    const above = new Int32Array(features).fill(-1);
    for (const node of this.forest.order) {
      const p = this.forest.parent[node];
      const carrier = p === -1 ? -1 : this.carrier[p];
      this.carrier[node] = feature[node] === -1 ? carrier : feature[node];
      if (feature[node] !== -1) above[feature[node]] = carrier;
    }
    this.truth = new Forest(above);
  }

  static of(features: number, roots: readonly HierarchyNode[]): Hierarchy {
    const nodes: HierarchyNode[] = [];
    const parent: number[] = [];
    const add = (node: HierarchyNode, above: number): void => {
      const id = nodes.push(node) - 1;
      parent.push(above);
      for (const child of node.children) add(child, id);
    };
    for (const root of roots) add(root, -1);
    return new Hierarchy(
      features,
      parent,
      Int32Array.from(nodes, ({ feature }) => feature ?? -1),
      Uint8Array.from(nodes, ({ exclusive }) => (exclusive ? 1 : 0)),
      Uint8Array.from(nodes, ({ scales }) => (scales ? 1 : 0)),
    );
  }

  /** `roots` complete trees, features numbered breadth first: all roots, then all their children … */
  static complete(features: number, { roots, branching, depth, exclusive, scaleChildren }: CompleteTrees): Hierarchy {
    const parent: number[] = Array.from({ length: roots }, () => -1);
    let [from, to] = [0, roots];
    for (let level = 0; level < depth; level++) {
      for (let node = from; node < to; node++) for (let c = 0; c < branching; c++) parent.push(node);
      [from, to] = [to, parent.length];
    }
    const flags = (on: boolean): Uint8Array => new Uint8Array(parent.length).fill(on ? 1 : 0);
    return new Hierarchy(features, parent, Int32Array.from(parent.keys()), flags(exclusive), flags(scaleChildren));
  }

  /** Features outside the hierarchy. */
  get free(): number[] {
    const placed = new Set(this.feature);
    return Array.from({ length: this.features }, (_, i) => i).filter((i) => !placed.has(i));
  }

  /**
   * Everything below a node that is on, the node itself left out. Nothing is asked of features whose parents are off.
   * @param value of the node's carrier, 1 without one
   * @param mean `[features]` configured means
   */
  activateBelow(node: number, value: number, mean: Float64Array, pass: Activation): void {
    const { feature } = this;
    const children = this.#childIndex;
    const raw = this.#raw;
    const [from, to] = [this.#childPtr[node], this.#childPtr[node + 1]];
    let on = 0;
    for (let i = from; i < to; i++) {
      const child = children[i];
      if (feature[child] === -1) continue;
      raw[child] = pass.raw(feature[child]);
      if (raw[child] > 0) on++;
    }
    if (on > 1 && this.exclusive[node] === 1) this.#exclude(node, pass);
    const carrier = this.carrier[node];
    const factor = this.scales[node] === 1 && carrier !== -1 ? value / mean[carrier] : 1;
    for (let i = from; i < to; i++) {
      const child = children[i];
      if (feature[child] === -1) this.activateBelow(child, value, mean, pass);
      else if (raw[child] > 0) {
        const scaled = raw[child] * factor;
        pass.emit(feature[child], scaled);
        this.activateBelow(child, scaled, mean, pass);
      }
    }
  }

  /** The same for a root and everything below it. */
  activateRoot(root: number, mean: Float64Array, pass: Activation): void {
    const feature = this.feature[root];
    if (feature === -1) {
      this.activateBelow(root, 1, mean, pass);
      return;
    }
    const value = pass.raw(feature);
    if (value === 0) return;
    pass.emit(feature, value);
    this.activateBelow(root, value, mean, pass);
  }

  #exclude(node: number, pass: Activation): void {
    const members = [...this.forest.children(node)].filter((c) => this.feature[c] !== -1 && this.#raw[c] > 0);
    const stays = pass.choose(
      node,
      members.map((c) => this.feature[c]),
    );
    for (const c of members) if (this.feature[c] !== stays) this.#raw[c] = 0;
  }
}

export interface CompleteTrees {
  readonly roots: number;
  readonly branching: number;
  readonly depth: number;
  readonly exclusive: boolean;
  readonly scaleChildren: boolean;
}

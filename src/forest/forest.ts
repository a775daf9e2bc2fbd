/** The forest over latents (or over the features of synthetic data): who is whose parent. */
import { InputError } from '../core/errors.ts';

/**
 * Why a description is not a forest:
 * - `missing`: a latent has no entry;
 * - `ambiguous`: a latent has two parents;
 * - `out of range`: a link names something that is not a latent;
 * - `cycle`: a latent is its own ancestor;
 * - `orphan`: levels are given, and a latent's parent is not on an earlier one.
 */
export type ForestFailure = 'missing' | 'ambiguous' | 'cycle' | 'out of range' | 'orphan';

/** A description that is not a forest. */
export class ForestError extends InputError {
  readonly kind: ForestFailure;

  constructor(kind: ForestFailure, message: string, hint: string) {
    super(`${kind}: ${message}`, { hint });
    this.kind = kind;
  }
}

/** A valid forest over nodes 0 … size − 1, immutable. Construction takes O(size), also for a million latents. */
export class Forest {
  readonly size: number;
  /** Parent of each node, −1 for a root. */
  readonly parent: Int32Array;
  /**
   * Level of each node as its architecture counts them; levels grow along every edge, but an edge may skip some and a root
   * may sit on any (a partial forest). Equal to {@link depth} unless given.
   */
  readonly level: Int32Array;
  /** Number of edges above each node; 0 for roots. */
  readonly depth: Int32Array;
  /** Every node once, parents before their children, breadth first. */
  readonly order: Int32Array;
  readonly #childPtr: Int32Array;
  readonly #childIndex: Int32Array;

  /** @throws ForestError when the links do not form a forest */
  constructor(parent: ArrayLike<number>, level?: ArrayLike<number>) {
    this.size = parent.length;
    checkLinks(parent);
    this.parent = Int32Array.from(parent);
    [this.#childPtr, this.#childIndex] = groupByParent(this.parent);
    this.order = new Int32Array(this.size);
    this.depth = new Int32Array(this.size);
    this.#walk();
    this.level = level === undefined ? this.depth.slice() : checkLevels(level, this.parent);
  }

  /**
   * Forest of `size` nodes from edges `[parent, child]`; a node that is no child is a root. A repeated edge counts once.
   * @throws ForestError
   */
  static fromEdges(size: number, edges: Iterable<readonly [parent: number, child: number]>): Forest {
    const parents = new Int32Array(size).fill(-1);
    for (const [parent, child] of edges) {
      for (const [end, role] of [
        [parent, 'parent'],
        [child, 'child'],
      ] as const) {
        if (!Number.isInteger(end) || end < 0 || end >= size) {
          throw new ForestError(
            'out of range',
            `edge ${parent} → ${child} in a forest of ${size} nodes: there is no ${role} ${end}`,
            'leave the edge out, or give the size of the dictionary that it was made for',
          );
        }
      }
      if (parents[child] !== -1 && parents[child] !== parent) {
        throw new ForestError(
          'ambiguous',
          `node ${child} has two parents, ${parents[child]} and ${parent}`,
          'keep the edge with the higher score',
        );
      }
      parents[child] = parent;
    }
    return new Forest(parents);
  }

  /** Children of a node in ascending order, a view. */
  children(node: number): Int32Array {
    return this.#childIndex.subarray(this.#childPtr[node + 1], this.#childPtr[node + 2]);
  }

  /** Roots in ascending order, a view. */
  get roots(): Int32Array {
    return this.#childIndex.subarray(0, this.#childPtr[1]);
  }

  get edgeCount(): number {
    return this.size - this.roots.length;
  }

  /** Ancestors of a node from its parent to its root. */
  ancestors(node: number): number[] {
    const found: number[] = [];
    for (let a = this.parent[node]; a !== -1; a = this.parent[a]) found.push(a);
    return found;
  }

  /** True when `ancestor` lies strictly above `node`. */
  isAncestor(ancestor: number, node: number): boolean {
    let a = this.parent[node];
    while (a !== -1 && a !== ancestor) a = this.parent[a];
    return a !== -1;
  }

  /** All edges as `[parent, child]`, children ascending. */
  *edges(): Generator<[parent: number, child: number]> {
    for (let c = 0; c < this.size; c++) if (this.parent[c] !== -1) yield [this.parent[c], c];
  }

  /** Number of nodes in the tree below each node, itself included. */
  subtreeSizes(): Int32Array {
    const sizes = new Int32Array(this.size).fill(1);
    for (let i = this.size - 1; i >= 0; i--) {
      const parent = this.parent[this.order[i]];
      if (parent !== -1) sizes[parent] += sizes[this.order[i]];
    }
    return sizes;
  }

  /** Fills `order` and `depth`; nodes that no root reaches hang from a cycle. */
  #walk(): void {
    this.order.set(this.roots);
    let end = this.roots.length;
    for (let next = 0; next < end; next++) {
      for (const child of this.children(this.order[next])) {
        this.depth[child] = this.depth[this.order[next]] + 1;
        this.order[end++] = child;
      }
    }
    if (end < this.size) {
      const cycle = describeCycle(this.parent, this.order.subarray(0, end));
      throw new ForestError('cycle', cycle, 'make one of these nodes a root');
    }
  }
}

function checkLinks(parent: ArrayLike<number>): void {
  for (let i = 0; i < parent.length; i++) {
    const link: number | undefined = parent[i];
    if (link === undefined || Number.isNaN(link)) {
      throw new ForestError('missing', `node ${i} has no entry`, 'a root is written −1');
    }
    if (!Number.isInteger(link) || link < -1 || link >= parent.length) {
      throw new ForestError(
        'out of range',
        `node ${i} names parent ${link} in a forest of ${parent.length} nodes`,
        `parents are whole numbers from −1 (a root) to ${parent.length - 1}`,
      );
    }
  }
}

function checkLevels(level: ArrayLike<number>, parent: Int32Array): Int32Array {
  if (level.length !== parent.length) {
    throw new ForestError('missing', `${level.length} levels for ${parent.length} nodes`, 'one level for every node');
  }
  for (let i = 0; i < parent.length; i++) {
    if (!Number.isInteger(level[i]) || level[i] < 0) {
      throw new ForestError('out of range', `node ${i} is on level ${level[i]}`, 'levels are whole numbers from 0');
    }
    if (parent[i] !== -1 && !(level[parent[i]] < level[i])) {
      const above = `its parent ${parent[i]} on level ${level[parent[i]]}`;
      throw new ForestError(
        'orphan',
        `node ${i} on level ${level[i]} has ${above}, not on an earlier one`,
        'choose a parent of an earlier level, or make the node a root',
      );
    }
  }
  return Int32Array.from(level);
}

/** Counting sort of the nodes by parent; slot 0 of the offsets is for parent −1, the roots. */
function groupByParent(parent: Int32Array): [ptr: Int32Array, nodes: Int32Array] {
  const ptr = new Int32Array(parent.length + 2);
  for (const p of parent) ptr[p + 2]++;
  for (let i = 1; i < ptr.length; i++) ptr[i] += ptr[i - 1];
  const next = ptr.slice();
  const nodes = new Int32Array(parent.length);
  for (let c = 0; c < parent.length; c++) nodes[next[parent[c] + 1]++] = c;
  return [ptr, nodes];
}

function describeCycle(parent: Int32Array, reached: Int32Array): string {
  const seen = new Set(reached);
  let node = parent.findIndex((_, i) => !seen.has(i));
  // The node may hang below the cycle: climbing until a node repeats ends on the cycle itself.
  while (!seen.has(node)) {
    seen.add(node);
    node = parent[node];
  }
  const cycle = [node];
  for (let a = parent[node]; a !== node; a = parent[a]) cycle.push(a);
  const shown = cycle.length > 16 ? [...cycle.slice(0, 16), `… (${cycle.length} nodes)`] : [...cycle, node];
  return `each node is the child of the next: ${shown.join(' → ')}`;
}

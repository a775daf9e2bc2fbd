/**
 * From possible parents to a forest, in the order of eval-HSAEs' generate_graph_from_edge_weights (methods 7.9, verified):
 * transitive reduction, hubs, small families. What it leaves is a DAG; here every child then keeps one parent.
 */
import type { Candidates } from './candidates.ts';
import { Forest } from './forest.ts';

export interface DagFilters {
  /** `[width]` rows in which each latent fired: edges lead from the more frequent to the less frequent one. */
  readonly frequency: ArrayLike<number>;
  /** A latent with more children than this after the reduction is taken out. */
  readonly maxChildren: number;
  /** Trees with fewer descendants than this are dissolved. */
  readonly minDescendants: number;
}

/** Edges that each filter took, in the order of the filters; the last two are a choice and a matter of taste. */
export interface DroppedEdges {
  /** The parent does not fire in more rows than the child. Only weighted measures let such edges through; without them there are no cycles. */
  readonly uphill: number;
  /** Another path leads from the parent to the child. */
  readonly transitive: number;
  /** Of hubs, up and down. */
  readonly hubs: number;
  /** The child has a parent with a higher score. */
  readonly otherParents: number;
  readonly smallFamilies: number;
}

export interface ChosenParents {
  /** `[children]` parent of each latent, −1 for none. */
  readonly parent: Int32Array;
  /** `[children]` score of the edge above each latent, NaN without one. */
  readonly score: Float64Array;
  /** Latents that were taken out because they had too many children. */
  readonly hubs: readonly number[];
  readonly dropped: DroppedEdges;
}

/** The child keeps the parent with the highest score, among equal ones the lowest latent. */
export function forestOfCandidates(candidates: Candidates, filters: DagFilters): ChosenParents {
  const { frequency, maxChildren, minDescendants } = filters;
  const keep = new Uint8Array(candidates.parent.length).fill(1);
  dropUphill(candidates, frequency, keep);
  const downhill = sum(keep);
  reduce(candidates, frequency, keep);
  const direct = sum(keep);
  const hubs = dropHubs(candidates, keep, maxChildren);
  dropAbove(candidates, keep, hubs);
  const left = sum(keep);
  const { parent, score } = chooseParents(candidates, keep);
  const chosen = countLinks(parent);
  dissolveSmall(parent, score, minDescendants);
  const dropped = {
    uphill: keep.length - downhill,
    transitive: downhill - direct,
    hubs: direct - left,
    otherParents: left - chosen,
    smallFamilies: chosen - countLinks(parent),
  };
  return { parent, score, hubs, dropped };
}

/** The same for the parents that one SAE's latents have in another: there are no paths, so there is nothing to reduce. */
export function parentsInAnother(candidates: Candidates, maxChildren: number): ChosenParents {
  const keep = new Uint8Array(candidates.parent.length).fill(1);
  const hubs = dropHubs(candidates, keep, maxChildren);
  const left = sum(keep);
  const { parent, score } = chooseParents(candidates, keep);
  const dropped = {
    uphill: 0,
    transitive: 0,
    hubs: keep.length - left,
    otherParents: left - countLinks(parent),
    smallFamilies: 0,
  };
  return { parent, score, hubs, dropped };
}

const sum = (marks: Uint8Array): number => marks.reduce((total, mark) => total + mark, 0);

const countLinks = (parent: Int32Array): number => parent.reduce((total, p) => total + (p === -1 ? 0 : 1), 0);

/** Unmarks the edges whose parent does not fire in more rows than the child. */
function dropUphill({ ptr, parent }: Candidates, frequency: ArrayLike<number>, keep: Uint8Array): void {
  for (let c = 0; c + 1 < ptr.length; c++) {
    for (let e = ptr[c]; e < ptr[c + 1]; e++) if (!(frequency[parent[e]] > frequency[c])) keep[e] = 0;
  }
}

/**
 * Transitive reduction: unmarks p → c when p is an ancestor of another parent of c. Ancestors are more frequent, so whoever can
 * reach p from below comes before it when parents are taken from the rarest to the most frequent.
 */
function reduce({ ptr, parent }: Candidates, frequency: ArrayLike<number>, keep: Uint8Array): void {
  const width = ptr.length - 1;
  const byFrequency = Int32Array.from({ length: width }, (_, i) => i).sort(
    (a, b) => frequency[b] - frequency[a] || a - b,
  );
  /** The last child from which a latent was reached. */
  const reachedFor = new Int32Array(width).fill(-1);
  const stack: number[] = [];
  for (const c of byFrequency) {
    const edges: number[] = [];
    for (let e = ptr[c]; e < ptr[c + 1]; e++) if (keep[e]) edges.push(e);
    edges.sort((a, b) => frequency[parent[a]] - frequency[parent[b]] || parent[a] - parent[b]);
    for (const e of edges) {
      if (reachedFor[parent[e]] === c) {
        keep[e] = 0;
        continue;
      }
      reachedFor[parent[e]] = c;
      stack.push(parent[e]);
      while (stack.length > 0) {
        const node = stack.pop()!;
        for (let up = ptr[node]; up < ptr[node + 1]; up++) {
          if (!keep[up] || reachedFor[parent[up]] === c) continue;
          reachedFor[parent[up]] = c;
          stack.push(parent[up]);
        }
      }
    }
  }
}

/** Unmarks the edges from latents with more than `maxChildren` marked ones. @returns these latents, ascending */
function dropHubs({ parent }: Candidates, keep: Uint8Array, maxChildren: number): number[] {
  const children = new Map<number, number>();
  for (let e = 0; e < parent.length; e++) if (keep[e]) children.set(parent[e], (children.get(parent[e]) ?? 0) + 1);
  const hubs = new Set([...children].filter(([, count]) => count > maxChildren).map(([latent]) => latent));
  for (let e = 0; e < parent.length; e++) if (hubs.has(parent[e])) keep[e] = 0;
  return [...hubs].sort((a, b) => a - b);
}

/** Unmarks the edges to the parents of some latents. */
function dropAbove({ ptr }: Candidates, keep: Uint8Array, latents: readonly number[]): void {
  for (const c of latents) keep.fill(0, ptr[c], ptr[c + 1]);
}

function chooseParents(
  { ptr, parent: from, score: scores }: Candidates,
  keep: Uint8Array,
): { parent: Int32Array; score: Float64Array } {
  const parent = new Int32Array(ptr.length - 1).fill(-1);
  const score = new Float64Array(ptr.length - 1).fill(NaN);
  for (let c = 0; c < parent.length; c++) {
    for (let e = ptr[c]; e < ptr[c + 1]; e++) {
      // Parents come in ascending order: an equal score does not replace a lower latent.
      if (!keep[e] || (parent[c] !== -1 && !(scores[e] > score[c]))) continue;
      parent[c] = from[e];
      score[c] = scores[e];
    }
  }
  return { parent, score };
}

/** Makes roots of all latents in trees with fewer than `minDescendants` descendants. */
function dissolveSmall(parent: Int32Array, score: Float64Array, minDescendants: number): void {
  const forest = new Forest(parent);
  const sizes = forest.subtreeSizes();
  for (const root of forest.roots) {
    if (sizes[root] > minDescendants) continue;
    const tree = [...forest.children(root)];
    for (let node = tree.pop(); node !== undefined; node = tree.pop()) {
      tree.push(...forest.children(node));
      parent[node] = -1;
      score[node] = NaN;
    }
  }
}

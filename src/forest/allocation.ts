/**
 * Who gets the dead children of a tree: the dynamic allocation of Tree SAE (arXiv 2605.07922, algorithms 1 and 2, methods 5.3).
 * Parents are numbered 0 … n − 1, and n is the root.
 */
import type { Random } from '../core/random.ts';

/**
 * Algorithm 1: how many of `children` each parent should have, k* = argmax_{Σ k_p = children} min_p C_p / k_p (eq. 10). Greedy is
 * optimal (theorem 4.1): the next child goes to the largest C_p / (k_p + 1), ties to the lowest parent. Parents that are not
 * eligible or have no capacity get none; if no eligible parent has any, the eligible ones share evenly, the first ones get the rest.
 */
export function greedyQuotas(capacity: ArrayLike<number>, eligible: readonly boolean[], children: number): Uint32Array {
  const quotas = new Uint32Array(capacity.length);
  const open = [...eligible.keys()].filter((p) => eligible[p]);
  const heap = new PayoffHeap(open.filter((p) => capacity[p] > 0).map((p) => ({ parent: p, payoff: capacity[p] })));
  if (heap.size > 0) {
    for (let i = 0; i < children; i++) {
      const p = heap.top;
      quotas[p]++;
      heap.replaceTop(capacity[p] / (quotas[p] + 1));
    }
  } else {
    open.forEach((p, i) => {
      quotas[p] = Math.floor(children / open.length) + (i < children % open.length ? 1 : 0);
    });
  }
  return quotas;
}

/** What one layer of children knows about its possible parents. */
export interface Families {
  /** Parent of each child; changed in place. */
  parent: Uint32Array;
  dead: readonly boolean[];
  /** Of each parent and the root. */
  capacity: ArrayLike<number>;
  eligible: readonly boolean[];
}

/** Number of children of each parent and of the root. */
function familySizes({ parent, capacity }: Families): Uint32Array {
  const counts = new Uint32Array(capacity.length);
  for (const p of parent) counts[p]++;
  return counts;
}

/**
 * Algorithm 2: dead children of parents that have more than their quota go to parents that have less. Children leave in order of
 * (parent, child) and arrive in order of parents, until there is nobody left to leave or no place.
 * With a frozen root its children stay, and the quotas are for the others only.
 * @returns quotas of each parent and the root
 */
export function reallocateDeadChildren(families: Families, frozenRoot = false): Uint32Array {
  const { parent, dead, capacity, eligible } = families;
  const root = capacity.length - 1;
  const counts = familySizes(families);
  const pool = frozenRoot ? eligible.map((open, p) => open && p !== root) : eligible;
  const quotas = greedyQuotas(capacity, pool, frozenRoot ? parent.length - counts[root] : parent.length);
  if (frozenRoot) quotas[root] = counts[root];

  const places: number[] = [];
  for (let p = 0; p <= root; p++) for (let k = counts[p]; k < quotas[p]; k++) places.push(p);
  const leaving: number[] = [];
  const extras = counts.map((count, p) => Math.max(0, count - quotas[p]));
  const byParent = [...parent.keys()].sort((a, b) => parent[a] - parent[b] || a - b);
  for (const child of byParent) {
    if (!dead[child] || extras[parent[child]] === 0) continue;
    extras[parent[child]]--;
    leaving.push(child);
  }
  for (const [i, child] of leaving.slice(0, places.length).entries()) parent[child] = places[i];
  return quotas;
}

/**
 * Gives the root at least `share` of the children (appendix G): dead children, at random, of the largest families first (of equal
 * ones the lowest parent: the source leaves that open).
 */
export function fillRoot(families: Families, share: number, random: Random): void {
  const { parent, dead } = families;
  const counts = familySizes(families);
  const root = counts.length - 1;
  let missing = Math.ceil(share * parent.length) - counts[root];
  const donors = [...counts.keys()].slice(0, root).sort((a, b) => counts[b] - counts[a] || a - b);
  for (const donor of donors) {
    if (missing <= 0) return;
    const candidates = [...parent.keys()].filter((child) => parent[child] === donor && dead[child]);
    for (; missing > 0 && candidates.length > 0; missing--) {
      const [child] = candidates.splice(random.below(candidates.length), 1);
      parent[child] = root;
    }
  }
}

/** Attaches every dead child to the root. */
export function attachDeadToRoot({ parent, dead, capacity }: Families): void {
  for (const [child, isDead] of dead.entries()) if (isDead) parent[child] = capacity.length - 1;
}

/** The step's loss in equal parts to every candidate that fired and the root, which always counts as having fired. */
export function addCapacity(capacity: Float32Array, fired: (parent: number) => boolean, loss: number): void {
  const root = capacity.length - 1;
  let count = 1;
  for (let p = 0; p < root; p++) if (fired(p)) count++;
  for (let p = 0; p <= root; p++) if (p === root || fired(p)) capacity[p] += loss / count;
}

/** When dead children are moved, in steps. */
export interface AllocationSchedule {
  /** Before the first reallocation. */
  interval: number;
  /** Factor on the interval after each. */
  growth: number;
  maxInterval: number;
  /** When all dead children go to the root, for good; null = never. */
  rootReset: number | null;
}

/** Where a run stands on its schedule: numbers that the host keeps. */
export interface AllocationClock {
  interval: number;
  sinceReallocation: number;
  /** 1 once the root reset has happened. */
  resetDone: number;
}

/**
 * What is due after `completed` steps, of which the last has just been counted in `sinceReallocation`, and the clock afterwards.
 * The root reset is tested first; from then on nothing happens any more.
 */
export function dueAfter(
  { growth, maxInterval, rootReset }: AllocationSchedule,
  clock: AllocationClock,
  completed: number,
): { due: 'reset' | 'reallocate' | undefined; clock: AllocationClock } {
  if (clock.resetDone) return { due: undefined, clock };
  if (rootReset !== null && completed >= rootReset) return { due: 'reset', clock: { ...clock, resetDone: 1 } };
  if (clock.sinceReallocation < clock.interval) return { due: undefined, clock };
  const interval = Math.min(maxInterval, Math.trunc(clock.interval * growth));
  return { due: 'reallocate', clock: { ...clock, interval, sinceReallocation: 0 } };
}

/** Parents by payoff, largest first, then lowest parent: a binary heap. */
class PayoffHeap {
  readonly #items: { parent: number; payoff: number }[];

  constructor(items: { parent: number; payoff: number }[]) {
    // A sorted list is a heap.
    this.#items = items.sort((a, b) => b.payoff - a.payoff || a.parent - b.parent);
  }

  get size(): number {
    return this.#items.length;
  }

  get top(): number {
    return this.#items[0].parent;
  }

  /** Lowers the payoff of the top. */
  replaceTop(payoff: number): void {
    const items = this.#items;
    const moved = { parent: items[0].parent, payoff };
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && isBefore(items[child + 1], items[child])) child++;
      if (!isBefore(items[child], moved)) break;
      items[hole] = items[child];
      hole = child;
    }
    items[hole] = moved;
  }
}

function isBefore(a: { parent: number; payoff: number }, b: { parent: number; payoff: number }): boolean {
  return a.payoff > b.payoff || (a.payoff === b.payoff && a.parent < b.parent);
}

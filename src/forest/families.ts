/** Parents with their children, as lists. A null may give two families one parent, which no forest allows. */
import type { Forest } from './forest.ts';

export interface Families {
  /** `[families]` */
  readonly parent: Int32Array;
  /** `[families]` level of the parent. */
  readonly level: Int32Array;
  /** `[families + 1]`, the pairs of family f are `ptr[f] … ptr[f + 1] − 1`. */
  readonly ptr: Int32Array;
  /** `[pairs]` child of each pair, family by family. */
  readonly child: Int32Array;
  /** `[pairs]` family of each pair. */
  readonly family: Int32Array;
}

/** Every latent that has children, ascending. */
export function familiesOf(forest: Forest): Families {
  const parent = Int32Array.from(forest.parent.keys()).filter((node) => forest.children(node).length > 0);
  const lists = Array.from(parent, (node) => forest.children(node));
  const level = parent.map((node) => forest.level[node]);
  return familiesOfLists(parent, level, lists);
}

export function familiesOfLists(parent: Int32Array, level: Int32Array, lists: readonly ArrayLike<number>[]): Families {
  const ptr = new Int32Array(parent.length + 1);
  lists.forEach((children, f) => (ptr[f + 1] = ptr[f] + children.length));
  const child = new Int32Array(ptr[parent.length]);
  const family = new Int32Array(child.length);
  lists.forEach((children, f) => {
    child.set(children, ptr[f]);
    family.fill(f, ptr[f], ptr[f + 1]);
  });
  return { parent, level, ptr, child, family };
}

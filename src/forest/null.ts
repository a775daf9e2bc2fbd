/** The forests and families that a measurement has to beat. */
import type { Random } from '../core/random.ts';
import { familiesOfLists, type Families } from './families.ts';
import { Forest } from './forest.ts';

/**
 * A forest of the same shape whose nodes are dealt anew at random among the nodes of their level: level sizes, family
 * sizes and chains are those of `forest`, who belongs to whom is chance.
 */
export function shuffledForest(forest: Forest, random: Random): Forest {
  const place = new Int32Array(forest.size);
  for (const nodes of nodesByLevel(forest).values()) {
    const dealt = nodes.slice();
    for (let i = dealt.length - 1; i > 0; i--) {
      const j = random.below(i + 1);
      [dealt[i], dealt[j]] = [dealt[j], dealt[i]];
    }
    nodes.forEach((node, i) => (place[node] = dealt[i]));
  }
  const parent = new Int32Array(forest.size);
  for (let i = 0; i < forest.size; i++) parent[place[i]] = forest.parent[i] === -1 ? -1 : place[forest.parent[i]];
  return new Forest(parent, forest.level);
}

/** Frequencies that differ by less than this factor are the same … */
export const SAME_FREQUENCY = 1.25;
/** … and where fewer latents than this have it, those nearest in frequency stand in. */
export const NEAREST_FREQUENCIES = 10;

/** Draws random latents of the same level that fire as often. */
export class FrequencyMatched {
  readonly #frequency: ArrayLike<number>;
  /** By level, ascending in frequency. */
  readonly #sorted: ReadonlyMap<number, readonly number[]>;
  readonly #level: Int32Array;
  /** Place of every node in the list of its level. */
  readonly #place: Int32Array;

  /** @param frequency `[size]` rows in which each latent fired */
  constructor(forest: Forest, frequency: ArrayLike<number>) {
    this.#frequency = frequency;
    this.#level = forest.level;
    const byLevel = nodesByLevel(forest);
    this.#sorted = byLevel;
    this.#place = new Int32Array(forest.size);
    for (const nodes of byLevel.values()) {
      nodes.sort((a, b) => frequency[a] - frequency[b] || a - b).forEach((node, i) => (this.#place[node] = i));
    }
  }

  /** Another latent for `node`, none of those that are ruled out; the node itself where there is no other. */
  draw(node: number, random: Random, isRuledOut: (other: number) => boolean): number {
    const nodes = this.#sorted.get(this.#level[node])!;
    const frequency = this.#frequency[node];
    const isNear = (i: number): boolean =>
      this.#frequency[nodes[i]] <= frequency * SAME_FREQUENCY &&
      this.#frequency[nodes[i]] * SAME_FREQUENCY >= frequency;
    let [from, to] = [this.#place[node], this.#place[node] + 1];
    while (from > 0 && isNear(from - 1)) from--;
    while (to < nodes.length && isNear(to)) to++;
    const least = Math.min(NEAREST_FREQUENCIES + 1, nodes.length);
    if (to - from < least) {
      from = Math.max(0, Math.min(this.#place[node] - (least >> 1), nodes.length - least));
      to = from + least;
    }
    const choices = nodes.slice(from, to).filter((other) => other !== node && !isRuledOut(other));
    return choices.length === 0 ? node : choices[random.below(choices.length)];
  }

  /** Every family keeps its children and gets another parent. */
  parents(families: Families, random: Random): Families {
    const parent = families.parent.map((p, f) => {
      const own = new Set(families.child.subarray(families.ptr[f], families.ptr[f + 1]));
      return this.draw(p, random, (other) => own.has(other));
    });
    return { ...families, parent };
  }

  /** Every family keeps its parent and gets other children, each once in its family. */
  children(families: Families, random: Random): Families {
    const { parent, level, ptr, child } = families;
    const lists = Array.from(parent, (p, f) => {
      const drawn = new Set<number>([p]);
      for (let pair = ptr[f]; pair < ptr[f + 1]; pair++) {
        drawn.add(this.draw(child[pair], random, (other) => drawn.has(other)));
      }
      return [...drawn].slice(1);
    });
    return familiesOfLists(parent, level, lists);
  }
}

/** Nodes of each level, ascending. */
export function nodesByLevel(forest: Forest): Map<number, number[]> {
  const byLevel = new Map<number, number[]>();
  forest.level.forEach((level, node) => {
    const nodes = byLevel.get(level);
    if (nodes) nodes.push(node);
    else byLevel.set(level, [node]);
  });
  return byLevel;
}

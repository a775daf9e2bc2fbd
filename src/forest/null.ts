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

  /**
   * Another latent for `node`, none of those that are ruled out; the node itself where there is no other. Time grows with the number of
   * those that are ruled out: where thousands fire as often they are never listed.
   */
  draw(node: number, random: Random, ruledOut: Iterable<number>): number {
    const level = this.#level[node];
    const nodes = this.#sorted.get(level)!;
    const [from, to] = this.#near(nodes, node);
    const taken = [this.#place[node]];
    for (const other of ruledOut) {
      const place = this.#place[other];
      if (other !== node && this.#level[other] === level && from <= place && place < to) taken.push(place);
    }
    const choices = to - from - taken.length;
    if (choices === 0) return node;
    let drawn = from + random.below(choices);
    for (const place of taken.sort((a, b) => a - b)) if (place <= drawn) drawn++;
    return nodes[drawn];
  }

  /** Places in the level's list: of about the same frequency. */
  #near(nodes: readonly number[], node: number): [from: number, to: number] {
    const place = this.#place[node];
    const frequency = this.#frequency[node];
    const from = firstFrom(0, place, (i) => this.#frequency[nodes[i]] * SAME_FREQUENCY >= frequency);
    const to = firstFrom(place + 1, nodes.length, (i) => this.#frequency[nodes[i]] > frequency * SAME_FREQUENCY);
    const least = Math.min(NEAREST_FREQUENCIES + 1, nodes.length);
    if (to - from >= least) return [from, to];
    const first = Math.max(0, Math.min(place - (least >> 1), nodes.length - least));
    return [first, first + least];
  }

  /** Every family keeps its children and gets another parent. */
  parents(families: Families, random: Random): Families {
    const parent = families.parent.map((p, f) => {
      return this.draw(p, random, families.child.subarray(families.ptr[f], families.ptr[f + 1]));
    });
    return { ...families, parent };
  }

  /** Every family keeps its parent and gets other children, each once in its family. */
  children(families: Families, random: Random): Families {
    const { parent, level, ptr, child } = families;
    const lists = Array.from(parent, (p, f) => {
      const drawn = new Set<number>([p]);
      for (let pair = ptr[f]; pair < ptr[f + 1]; pair++) {
        drawn.add(this.draw(child[pair], random, drawn));
      }
      return [...drawn].slice(1);
    });
    return familiesOfLists(parent, level, lists);
  }
}

/** The first of the numbers from … to − 1 that is, where all after it are; `to` where none is. */
function firstFrom(from: number, to: number, is: (i: number) => boolean): number {
  while (from < to) {
    const middle = (from + to) >> 1;
    if (is(middle)) to = middle;
    else from = middle + 1;
  }
  return from;
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

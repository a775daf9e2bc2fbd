/** The tree of concepts: the written backbone, cut or extended as the configuration says. */
import { ConfigError } from '../core/errors.ts';
import { Random } from '../core/random.ts';
import { Forest } from '../forest/forest.ts';
import type { WorldConfig } from './config.ts';
import { TAXONOMY } from './taxonomy-data.ts';

/** Token ids are stored in 16 bits, and every concept has words in three languages. */
const MAX_CONCEPTS = 16_000;
/** Sub-kinds per leaf where `branching` is not given. */
const SUB_KINDS = 2;

interface Node {
  readonly name: string;
  /** In the first language; the second is a synonym. */
  readonly words: readonly string[];
  children: Node[];
  /** A sub-kind that the text does not name. */
  readonly invented: boolean;
}

export class Taxonomy {
  readonly forest: Forest;
  /** `[concepts]` unique, readable. */
  readonly names: readonly string[];
  /** `[concepts]` words in the first language, the usual one first. */
  readonly words: readonly (readonly string[])[];
  /**
   * `[concepts]` how usual a concept is: the product of rank^−frequencySkew over it and the concepts above it, the two
   * uppermost levels left out.
   */
  readonly usual: Float64Array;
  /** `[concepts]` rank^−frequencySkew among siblings. */
  readonly share: Float64Array;
  /** `[concepts]` 1 for those with tastes of their own: leaves of the written taxonomy, and what was invented below them. */
  readonly hasTastes: Uint8Array;
  /** Concepts that are no leaves. */
  readonly inner: readonly number[];
  readonly #index: ReadonlyMap<string, number>;
  readonly #leaves: readonly Int32Array[];

  /** @throws ConfigError when sub-kinds multiply past what 16-bit tokens can name */
  constructor(config: WorldConfig) {
    const written = parse(TAXONOMY);
    const index = new Map<string, number>();
    const parents: number[] = [];
    const names: string[] = [];
    const words: (readonly string[])[] = [];
    const usual: number[] = [];
    const shares: number[] = [];
    const tastes: number[] = [];
    const { depth, branching, frequencySkew } = config;

    const add = (node: Node, parent: number, level: number, rank: number): void => {
      const self = names.length;
      index.set(node.name, self);
      parents.push(parent);
      names.push(node.name);
      words.push(node.words);
      const share = rank ** -frequencySkew;
      shares.push(share);
      usual.push(level < 2 ? 1 : usual[parent] * share);
      tastes.push(node.invented || node.children.length === 0 || node.children[0].invented ? 1 : 0);
      if (level === depth) {
        // What is cut away is still understood, as the concept above it.
        for (const below of descendants(node)) index.set(below.name, self);
        return;
      }
      for (const [i, child] of node.children.slice(0, branching ?? undefined).entries()) {
        add(child, self, level + 1, i + 1);
      }
    };
    if (depth !== null) {
      extend(
        written.filter(({ name }) => name === 'being' || name === 'thing'),
        config,
      );
    }
    for (const root of written) add(root, -1, 0, 1);

    this.#index = index;
    this.forest = new Forest(parents);
    this.names = names;
    this.words = words;
    this.usual = Float64Array.from(usual);
    this.share = Float64Array.from(shares);
    this.hasTastes = Uint8Array.from(tastes);
    this.inner = names.flatMap((_, concept) => (this.isLeaf(concept) ? [] : [concept]));
    this.#leaves = names.map((_, concept) => Int32Array.from(leavesBelow(this.forest, concept)));
  }

  get size(): number {
    return this.names.length;
  }

  /** Concept of a name of the written taxonomy, or of the concept above it if it was cut away; undefined if pruned or unknown. */
  find(name: string): number | undefined {
    return this.#index.get(name);
  }

  isLeaf(concept: number): boolean {
    return this.forest.children(concept).length === 0;
  }

  /** Leaves at or below a concept. */
  leaves(concept: number): Int32Array {
    return this.#leaves[concept];
  }

  /** The concept and all above it, deepest first. */
  chainOf(concept: number): number[] {
    return concept < 0 ? [] : [concept, ...this.forest.ancestors(concept)];
  }

  /** True when `kind` is the concept or stands above it. */
  isA(concept: number, kind: number): boolean {
    return concept === kind || this.forest.isAncestor(kind, concept);
  }
}

/** Every name of the written taxonomy, for checks of what refers to it. */
export function writtenNames(): Set<string> {
  return new Set(parse(TAXONOMY).flatMap((root) => [root.name, ...[...descendants(root)].map(({ name }) => name)]));
}

function parse(text: string): Node[] {
  const roots: Node[] = [];
  const path: Node[] = [];
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const level = line.search(/\S/) / 2;
    const [head, list = ''] = line.split(':');
    const siblings = level === 0 ? roots : path[level - 1].children;
    for (const label of head.trim().split(' ')) {
      siblings.push(newNode(label));
      path[level] = siblings[siblings.length - 1];
    }
    for (const label of list.split(' ')) if (label !== '') path[level].children.push(newNode(label));
  }
  return roots;
}

/** `name`, `name/synonym` or `name=word` */
function newNode(label: string): Node {
  const [name, word] = label.split('=');
  const words = name.split('/');
  return { name: words[0], words: word === undefined ? words : [word], children: [], invented: false };
}

function* descendants(node: Node): Generator<Node> {
  for (const child of node.children) {
    yield child;
    yield* descendants(child);
  }
}

function* leavesBelow(forest: Forest, concept: number): Generator<number> {
  const children = forest.children(concept);
  if (children.length === 0) yield concept;
  for (const child of children) yield* leavesBelow(forest, child);
}

/** Gives every leaf that lies above depth `config.depth` sub-kinds, down to there. @throws ConfigError when they are too many */
function extend(roots: readonly Node[], config: WorldConfig): void {
  const { depth, branching, seed } = config;
  const subKinds = branching ?? SUB_KINDS;
  const newName = subKindNamer(new Random(seed, 'world', 'sub-kinds'));
  let count = 0;
  const extendBelow = (node: Node, level: number): void => {
    if (++count > MAX_CONCEPTS) {
      throw new ConfigError(`depth ${depth} and branching ${subKinds} make more than ${MAX_CONCEPTS} concepts`, {
        where: 'world',
        hint: 'choose a smaller depth or branching',
      });
    }
    if (level === depth) return;
    if (node.children.length === 0) {
      const kind = node.words[0].split('-').at(-1)!;
      node.children = Array.from({ length: subKinds }, () => {
        const name = `${newName()}-${kind}`;
        return { name, words: [name], children: [], invented: true };
      });
    }
    for (const child of node.children.slice(0, branching ?? undefined)) extendBelow(child, level + 1);
  };
  for (const root of roots) extendBelow(root, 0);
}

/** Names of breeds: two or three syllables, never the same twice. */
function subKindNamer(random: Random): () => string {
  const used = new Set<string>();
  return () => {
    for (;;) {
      let name = '';
      for (let i = 0; i < (used.size < 1500 ? 2 : 3); i++) {
        name += 'bdfgklmnprstvz'[random.below(14)] + 'aeiou'[random.below(5)];
      }
      if (used.has(name)) continue;
      used.add(name);
      return name;
    }
  };
}

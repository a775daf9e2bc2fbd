/** What a concept can do, be, contain …: its own and what it inherits from the kinds above it. */
import { BEHAVIOUR } from './behaviour-data.ts';
import { writtenNames, type Taxonomy } from './taxonomy.ts';

const KEYS = ['does', 'never', 'is', 'has', 'at', 'of', 'holds', 'how', 'with'] as const;
type Key = (typeof KEYS)[number];
/** Lists of concepts; `does` is not one. */
export type Aspect = Exclude<Key, 'does'>;

/** Some kinds, with a number of their own. */
export interface KindSet {
  readonly id: number;
  readonly concepts: readonly number[];
}

/** One thing that can be done. */
export interface Rule {
  /** Kind that it was said of. */
  readonly kind: number;
  /** Kinds that it is done to; undefined for an intransitive use. */
  readonly objects: KindSet | undefined;
  /** Kinds of receivers. */
  readonly receivers: KindSet | undefined;
}

/** An action that some subject can do: by which rule, and said of which kind. */
export interface Ability {
  readonly verb: number;
  readonly rule: Rule;
}

interface Block {
  /** By verb; actions below a verb that was not marked `!` are listed too. */
  readonly does: Map<number, Rule>;
  readonly lists: Record<Aspect, number[]>;
}

export class Behaviour {
  readonly #taxonomy: Taxonomy;
  readonly #blocks: ReadonlyMap<number, Block>;

  constructor(taxonomy: Taxonomy) {
    this.#taxonomy = taxonomy;
    this.#blocks = parse(BEHAVIOUR, taxonomy);
  }

  /** What a concept can do, the nearest kind first; each action once, by the nearest rule about it. */
  abilities(concept: number): Ability[] {
    const found: Ability[] = [];
    const decided = new Set<number>();
    for (const kind of this.#taxonomy.chainOf(concept)) {
      const block = this.#blocks.get(kind);
      if (!block) continue;
      for (const verb of block.lists.never) decided.add(verb);
      for (const [verb, rule] of block.does) {
        if (decided.has(verb)) continue;
        decided.add(verb);
        found.push({ verb, rule });
      }
    }
    return found;
  }

  /** What all kinds of a concept say of an aspect, deepest first. */
  inherited(concept: number, aspect: Aspect): number[] {
    return [...new Set(this.#taxonomy.chainOf(concept).flatMap((kind) => this.own(kind, aspect)))];
  }

  /** What the nearest kind says that says anything. */
  nearest(concept: number, aspect: Aspect): readonly number[] {
    for (const kind of this.#taxonomy.chainOf(concept)) {
      const own = this.own(kind, aspect);
      if (own.length > 0) return own;
    }
    return [];
  }

  /** What a concept's own block says. */
  own(concept: number, aspect: Aspect): readonly number[] {
    return this.#blocks.get(concept)?.lists[aspect] ?? [];
  }
}

function parse(text: string, taxonomy: Taxonomy): Map<number, Block> {
  const written = writtenNames();
  const blocks = new Map<number, Block>();
  let block: Block | undefined;
  let kind = -1;

  /** @throws Error for a name that the taxonomy does not know: a mistake in the tables */
  const lookUp = (name: string): number[] => {
    if (!written.has(name)) throw new Error(`behaviour of ${taxonomy.names[kind]}: "${name}" is not in the taxonomy`);
    const found = taxonomy.find(name);
    return found === undefined ? [] : [found];
  };
  const lookUpAll = (names: string): number[] => [
    ...new Set(names.split(' ').flatMap((name) => (name === '' ? [] : lookUp(name)))),
  ];
  let sets = 0;
  const kindSet = (names: string): KindSet | undefined => {
    const concepts = lookUpAll(names);
    return concepts.length === 0 ? undefined : { id: sets++, concepts };
  };
  const withKinds = (verb: number, alone: boolean): number[] =>
    alone ? [verb] : [verb, ...taxonomy.leaves(verb), ...taxonomy.forest.order.filter((v) => taxonomy.isA(v, verb))];

  const addAbility = (into: Block, ability: string): void => {
    const [head, receivers = ''] = ability.split('>');
    const [word, ...classes] = head.trim().split(/\s+/);
    const alone = word.endsWith('!');
    const objects = kindSet(classes.join(' '));
    // In a world that was cut, nothing may be left that it could be done to.
    if (classes.length > 0 && !objects) return;
    const rule: Rule = { kind, objects, receivers: kindSet(receivers.trim()) };
    for (const verb of lookUp(alone ? word.slice(0, -1) : word)) {
      for (const each of withKinds(verb, alone)) {
        // Among the rules of one block, one about the action itself goes before one about its kind.
        if (!into.does.has(each) || each === verb) into.does.set(each, rule);
      }
    }
  };

  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    if (!line.startsWith(' ')) {
      kind = -1;
      [kind] = [...lookUp(line), -1];
      block = kind === -1 ? undefined : (blocks.get(kind) ?? newBlock());
      if (block) blocks.set(kind, block);
      continue;
    }
    const [key, value] = line.trim().split(/:\s*/) as [Key, string];
    if (!KEYS.includes(key)) throw new Error(`behaviour: unknown key "${key}"`);
    if (!block) continue;
    if (key === 'does') for (const ability of value.split(/;\s*/)) addAbility(block, ability);
    else if (key === 'never') block.lists.never.push(...lookUpAll(value).flatMap((verb) => withKinds(verb, false)));
    else block.lists[key].push(...lookUpAll(value));
  }
  return blocks;
}

function newBlock(): Block {
  return { does: new Map(), lists: { never: [], is: [], has: [], at: [], of: [], holds: [], how: [], with: [] } };
}

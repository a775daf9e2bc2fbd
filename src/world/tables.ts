/** Distributions over concepts, from behaviour, frequency and taste; made when first needed. */
import type { Aspect, Behaviour, KindSet, Rule } from './behaviour.ts';
import { Table } from './chance.ts';
import type { WorldConfig } from './config.ts';
import { groupBy } from './group.ts';
import { hashNumbers } from './hash.ts';
import type { Kinds } from './kinds.ts';
import type { Pairs } from './pairs.ts';
import type { Taxonomy } from './taxonomy.ts';

/** Share of what is possible that is to a leaf's taste. */
const TASTE_SHARE = 0.25;
/** How much more often things are met at the places where their kind is found. */
const AT_HOME = 12;
/** How much less a kind counts than the next one below it. */
const ABOVE = 0.65;
/** How much less an action that has kinds of its own is done than one of them. */
const INNER_VERB = 0.5;

/** Shares of entries. */
const ENTRIES: Readonly<Record<string, number>> = {
  being: 0.3,
  thing: 0.3,
  place: 0.1,
  action: 0.15,
  property: 0.13,
  time: 0.02,
};

/** Subject–action pairs that may be drawn: those of training, or those held out. */
export type PairSide = 'train' | 'new';

/** Tables of one sort, by a number. */
class Memo {
  readonly #tables = new Map<number, Table>();

  of(key: number, weights: () => Iterable<readonly [item: number, weight: number]>): Table {
    let table = this.#tables.get(key);
    if (!table) this.#tables.set(key, (table = new Table(new Map(weights()))));
    return table;
  }
}

export class Tables {
  /** All beings, things and places. */
  readonly anyNoun: Table;
  readonly anyProperty: Table;
  readonly anyTime: Table;
  /** Who stories are about: animals and persons; and those of them that have held-out pairs. */
  readonly heroes: Table;
  readonly newcomers: Table;
  readonly #taxonomy: Taxonomy;
  readonly #behaviour: Behaviour;
  readonly #kinds: Kinds;
  readonly #pairs: Pairs;
  readonly #config: WorldConfig;
  readonly #rules: (Map<number, Rule> | undefined)[] = [];
  /** `[concepts][concepts]` 1 where a kind is found. */
  readonly #habitats: readonly Uint8Array[];
  #subjects: Table | undefined;

  readonly #verbs = { train: new Memo(), new: new Memo() };
  readonly #members = new Memo();
  readonly #inner = new Memo();
  readonly #found = new Memo();
  readonly #nearest: Partial<Record<Aspect, Memo>> = {};
  readonly #inherited: Partial<Record<Aspect, Memo>> = {};
  readonly #intransitives = new Memo();
  readonly #reasons = new Memo();
  readonly #reports = new Memo();
  readonly #placesFor = new Memo();
  readonly #doers = new Memo();
  readonly #bearers = new Memo();

  constructor(taxonomy: Taxonomy, behaviour: Behaviour, kinds: Kinds, pairs: Pairs, config: WorldConfig) {
    this.#taxonomy = taxonomy;
    this.#behaviour = behaviour;
    this.#kinds = kinds;
    this.#pairs = pairs;
    this.#config = config;
    this.#habitats = taxonomy.names.map((_, concept) => this.#mask(behaviour.nearest(concept, 'at')));
    this.anyNoun = this.#leavesOf('being', 'thing', 'place');
    this.anyProperty = this.#leavesOf('property');
    this.anyTime = this.#leavesOf('time');
    this.heroes = this.#leavesOf('animal', 'person');
    this.newcomers = this.#part(this.heroes, (leaf) => pairs.heldOut.has(leaf));
  }

  /**
   * What a subject does, at a place (−1 = nowhere in particular). Every kind of the subject that has something to say gets a
   * share, however many actions it names, so that behaviour of all levels shows in text.
   */
  verbs(subject: number, place: number, side: PairSide): Table {
    return this.#verbs[side].of(this.#key(subject, place), () => {
      const possible = this.#behaviour
        .abilities(subject)
        .filter(
          ({ verb }) =>
            this.#kinds.isReporting[verb] === 0 &&
            this.#pairs.isHeldOut(subject, verb) === (side === 'new') &&
            this.fits(verb, place),
        );
      return [...groupBy(possible, ({ rule }) => rule.kind).values()].flatMap((abilities, above) => {
        const weights = abilities.map(({ verb }) => this.#verbWeight(verb) * this.#taste(subject, verb));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        return abilities.map(({ verb }, i) => [verb, (ABOVE ** above * weights[i]) / total] as const);
      });
    });
  }

  /** The rule by which a subject does something that it can do. */
  rule(subject: number, verb: number): Rule {
    const rules = (this.#rules[subject] ??= new Map(
      this.#behaviour.abilities(subject).map(({ verb, rule }) => [verb, rule]),
    ));
    return rules.get(verb)!;
  }

  /** Whether an action can be done at a place. */
  fits(verb: number, place: number): boolean {
    if (place === -1) return true;
    const only = this.#behaviour.nearest(verb, 'at');
    return only.length === 0 || only.some((kind) => this.#taxonomy.isA(place, kind));
  }

  /** Leaves of some kinds, by frequency, by how well they go with `partner`, and by whether they are found at the place. */
  members(kinds: KindSet, partner: number, place: number): Table {
    return this.#members.of(this.#key(this.#key(kinds.id, partner), place), () =>
      kinds.concepts.flatMap((kind) =>
        Array.from(this.#taxonomy.leaves(kind), (leaf) => {
          const atHome = place !== -1 && this.#habitats[leaf][place] === 1 ? AT_HOME : 1;
          const taste = partner === -1 ? 1 : this.#taste(leaf, partner);
          return [leaf, this.#taxonomy.usual[leaf] * atHome * taste] as const;
        }),
      ),
    );
  }

  /** Concepts that are no leaves, at or below some kinds. */
  innerKinds(kinds: KindSet): Table {
    return this.#inner.of(kinds.id, () =>
      kinds.concepts.flatMap((kind) =>
        this.#taxonomy.inner.flatMap((c) =>
          this.#taxonomy.isA(c, kind) ? [[c, this.#taxonomy.usual[c]] as const] : [],
        ),
      ),
    );
  }

  /** Animals, persons and things that are found at a place. */
  found(place: number): Table {
    return this.#found.of(place, () => {
      const all = this.#leavesOf('animal', 'person', 'thing').items;
      return this.#usual([...all].filter((leaf) => this.#habitats[leaf][place] === 1));
    });
  }

  /** Leaves below what the nearest kind says of an aspect: places, materials, contents, instruments. */
  nearest(concept: number, aspect: Aspect): Table {
    return (this.#nearest[aspect] ??= new Memo()).of(concept, () =>
      this.#behaviour
        .nearest(concept, aspect)
        .flatMap((kind) => [...this.#taxonomy.leaves(kind)])
        .map((leaf) => [leaf, this.#taxonomy.usual[leaf] * this.#taste(concept, leaf)] as const),
    );
  }

  /** Leaves below what any kind says of an aspect: properties, parts, manners. Nearer kinds say it more often. */
  inherited(concept: number, aspect: Aspect): Table {
    return (this.#inherited[aspect] ??= new Memo()).of(concept, () => {
      const weights = new Map<number, number>();
      let share = 1;
      for (const kind of this.#taxonomy.chainOf(concept)) {
        const leaves = this.#behaviour.own(kind, aspect).flatMap((each) => [...this.#taxonomy.leaves(each)]);
        for (const leaf of leaves) {
          const weight = (share / leaves.length) * this.#taste(concept, leaf);
          weights.set(leaf, (weights.get(leaf) ?? 0) + weight);
        }
        if (leaves.length > 0) share *= ABOVE;
      }
      return weights;
    });
  }

  /** What a subject does without an object. */
  intransitives(subject: number, place: number): Table {
    return this.#intransitives.of(this.#key(subject, place), () =>
      this.#partOf(this.verbs(subject, place, 'train'), (verb) => this.rule(subject, verb).objects === undefined),
    );
  }

  /** Properties of the mind that a subject can have. */
  reasons(subject: number): Table {
    return this.#reasons.of(subject, () =>
      this.#partOf(this.inherited(subject, 'is'), (property) => this.#kinds.isMental[property] === 1),
    );
  }

  /** Verbs by which a subject says that something is so. */
  reports(subject: number): Table {
    return this.#reports.of(subject, () =>
      this.#behaviour
        .abilities(subject)
        .filter(({ verb }) => this.#kinds.isReporting[verb] === 1 && !this.#pairs.isHeldOut(subject, verb))
        .map(({ verb }) => [verb, this.#verbWeight(verb) * this.#taste(subject, verb)] as const),
    );
  }

  /** Places of a subject where an action is possible. */
  placesFor(subject: number, verb: number): Table {
    return this.#placesFor.of(this.#key(subject, verb), () =>
      this.#partOf(this.nearest(subject, 'at'), (place) => this.fits(verb, place)),
    );
  }

  /**
   * What entries are about: concepts below the roots that there is something to say of, each root with its share, rare ones
   * not as rare as in stories.
   */
  get subjects(): Table {
    return (this.#subjects ??= new Table(new Map(this.#subjectWeights())));
  }

  *#subjectWeights(): Generator<readonly [number, number]> {
    const { names, forest, usual } = this.#taxonomy;
    const rootOf = (c: number): string => names[this.#taxonomy.chainOf(c).at(-1)!];
    const sayable = names.flatMap((_, c) => (forest.depth[c] > 0 && this.#isSayable(c, rootOf(c)) ? [c] : []));
    for (const [root, concepts] of groupBy(sayable, rootOf)) {
      const total = concepts.reduce((sum, c) => sum + Math.sqrt(usual[c]), 0);
      for (const c of concepts) yield [c, (ENTRIES[root] * Math.sqrt(usual[c])) / total];
    }
  }

  #isSayable(concept: number, root: string): boolean {
    if (root === 'action') return this.doers(concept).size > 1;
    if (root === 'property') return !this.#taxonomy.isLeaf(concept) || this.bearers(concept).size > 1;
    return root !== 'time' || !this.#taxonomy.isLeaf(concept);
  }

  /** Beings and things that do something in training. */
  doers(verb: number): Table {
    return this.#doers.of(verb, () =>
      this.#partOf(this.anyNoun, (leaf) => this.verbs(leaf, -1, 'train').probability(verb) > 0),
    );
  }

  /** Leaves that can have a property, those that it is more often said of first. */
  bearers(property: number): Table {
    return this.#bearers.of(property, () =>
      Array.from(this.anyNoun.items, (leaf) => {
        return [leaf, this.#taxonomy.usual[leaf] * this.inherited(leaf, 'is').probability(property)] as const;
      }),
    );
  }

  /**
   * How much a leaf is given to something: `tastes` for one concept in four, chosen by the seed, otherwise 1. Invented
   * sub-kinds have the tastes of the leaves they stand below, and their own.
   */
  #taste(concept: number, other: number): number {
    const { seed, tastes } = this.#config;
    let factor = 1;
    for (let c = concept; c !== -1 && this.#taxonomy.hasTastes[c] === 1; c = this.#taxonomy.forest.parent[c]) {
      if (hashNumbers(seed, c, other) < TASTE_SHARE) factor *= tastes;
    }
    return factor;
  }

  #verbWeight(verb: number): number {
    return this.#taxonomy.share[verb] * (this.#taxonomy.isLeaf(verb) ? 1 : INNER_VERB);
  }

  #leavesOf(...names: readonly string[]): Table {
    const kinds = names.flatMap((name) => this.#taxonomy.find(name) ?? []);
    return new Table(new Map(this.#usual(kinds.flatMap((kind) => [...this.#taxonomy.leaves(kind)]))));
  }

  #usual(concepts: readonly number[]): (readonly [number, number])[] {
    return concepts.map((concept) => [concept, this.#taxonomy.usual[concept]]);
  }

  #part(table: Table, isPart: (item: number) => boolean): Table {
    return new Table(new Map(this.#partOf(table, isPart)));
  }

  #partOf(table: Table, isPart: (item: number) => boolean): (readonly [number, number])[] {
    return [...table.items].filter(isPart).map((item) => [item, table.probability(item)]);
  }

  #mask(kinds: readonly number[]): Uint8Array {
    const mask = new Uint8Array(this.#taxonomy.size);
    for (const kind of kinds) for (const leaf of this.#taxonomy.leaves(kind)) mask[leaf] = 1;
    return mask;
  }

  /** One number for two; `b` may be −1. */
  #key(a: number, b: number): number {
    return a * (this.#taxonomy.size + 1) + b + 1;
  }
}

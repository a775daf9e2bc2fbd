/** Distributions over concepts, from behaviour, frequency and taste; made when first needed. */
import { Random } from '../core/random.ts';
import type { Ability, Aspect, Behaviour, Rule } from './behaviour.ts';
import { Table } from './chance.ts';
import type { WorldConfig } from './config.ts';
import { groupBy } from './group.ts';
import type { Kinds } from './kinds.ts';
import type { Pairs } from './pairs.ts';
import type { Taxonomy } from './taxonomy.ts';

/** One concept in this many is to a leaf's taste. */
const TASTE_SHARE = 4;
/** How much more often things are met at the places where their kind is found. */
const AT_HOME = 5;
/** What kinds above say of properties, relative to the next kind below. */
const ABOVE = 0.6;

/** Subject–action pairs that may be drawn: those of training, those held out, or any (kinds that are no leaves have no pairs). */
export type PairSide = 'train' | 'new';

export class Tables {
  readonly #taxonomy: Taxonomy;
  readonly #behaviour: Behaviour;
  readonly #kinds: Kinds;
  readonly #pairs: Pairs;
  readonly #inner: readonly number[];
  readonly #config: WorldConfig;
  readonly #cache = new Map<string, Table>();
  readonly #byNumber = new Map<number, Table>();
  readonly #rules = new Map<number, Map<number, Rule>>();
  readonly #habitats: readonly Uint8Array[];

  constructor(taxonomy: Taxonomy, behaviour: Behaviour, kinds: Kinds, pairs: Pairs, config: WorldConfig) {
    this.#taxonomy = taxonomy;
    this.#behaviour = behaviour;
    this.#kinds = kinds;
    this.#pairs = pairs;
    this.#inner = taxonomy.names.flatMap((_, c) => (taxonomy.isLeaf(c) ? [] : [c]));
    this.#config = config;
    this.#habitats = taxonomy.names.map((_, concept) => this.#mask(behaviour.nearest(concept, 'at')));
  }

  /**
   * What a subject does, at a place (−1 = nowhere in particular). All kinds of the subject that have something to say get
   * the same share, so that behaviour of every level shows in text.
   */
  verbs(subject: number, place: number, side: PairSide): Table {
    return this.#numbered((subject * 2 + (side === 'new' ? 1 : 0)) * (this.#taxonomy.size + 1) + place + 1, () => {
      const possible = this.#behaviour
        .abilities(subject)
        .filter(
          ({ verb }) =>
            this.#kinds.isReporting[verb] === 0 &&
            this.#pairs.isHeldOut(subject, verb) === (side === 'new') &&
            this.fits(verb, place),
        );
      const ofKind = groupBy(possible, ({ rule }) => rule.kind);
      const weights = new Map<number, number>();
      for (const abilities of ofKind.values()) {
        const own = abilities.map(({ verb }) => this.#verbWeight(verb) * this.#taste(subject, verb));
        const total = own.reduce((sum, w) => sum + w, 0);
        abilities.forEach(({ verb }, i) => weights.set(verb, own[i] / total));
      }
      return new Table(weights);
    });
  }

  /** The rule by which a subject does something. */
  rule(subject: number, verb: number): Rule {
    let rules = this.#rules.get(subject);
    if (!rules) {
      rules = new Map(this.#behaviour.abilities(subject).map((ability: Ability) => [ability.verb, ability.rule]));
      this.#rules.set(subject, rules);
    }
    return rules.get(verb)!;
  }

  /** Whether an action can be done at a place. */
  fits(verb: number, place: number): boolean {
    if (place === -1) return true;
    const only = this.#behaviour.nearest(verb, 'at');
    return only.length === 0 || only.some((kind) => this.#taxonomy.isA(place, kind));
  }

  /** Leaves of some kinds, by frequency, by how well they go with `partner`, and by whether they are found at the place. */
  members(kinds: readonly number[], partner: number, place: number): Table {
    return this.#named(`${kinds.join()}:${partner}:${place}`, () => {
      const weights = new Map<number, number>();
      for (const kind of kinds) {
        for (const leaf of this.#taxonomy.leaves(kind)) {
          const atHome = place !== -1 && this.#habitats[leaf][place] === 1 ? AT_HOME : 1;
          weights.set(leaf, this.#taxonomy.usual[leaf] * atHome * (partner === -1 ? 1 : this.#taste(leaf, partner)));
        }
      }
      return new Table(weights);
    });
  }

  /** Animals, persons and things that are found at a place. */
  found(place: number): Table {
    return this.#named(`found:${place}`, () => {
      const all = [...this.leavesOf('animal', 'person', 'thing').items];
      const found = all.filter((leaf) => this.#habitats[leaf][place] === 1);
      return new Table(new Map(found.map((leaf) => [leaf, this.#taxonomy.usual[leaf]])));
    });
  }

  /** Leaves below what the nearest kind says of an aspect: places, materials, contents, instruments. */
  nearest(concept: number, aspect: Aspect): Table {
    return this.#named(`${aspect}:${concept}`, () => {
      const weights = new Map<number, number>();
      for (const kind of this.#behaviour.nearest(concept, aspect)) {
        for (const leaf of this.#taxonomy.leaves(kind)) {
          weights.set(leaf, this.#taxonomy.usual[leaf] * this.#taste(concept, leaf));
        }
      }
      return new Table(weights);
    });
  }

  /** Leaves below what any kind says of an aspect: properties, parts, manners. Nearer kinds say it more often. */
  inherited(concept: number, aspect: Aspect): Table {
    return this.#named(`all ${aspect}:${concept}`, () => {
      const weights = new Map<number, number>();
      let share = 1;
      for (const kind of this.#taxonomy.chainOf(concept)) {
        const leaves = this.#behaviour.own(kind, aspect).flatMap((each) => [...this.#taxonomy.leaves(each)]);
        if (leaves.length === 0) continue;
        for (const leaf of leaves) {
          const weight = (share / leaves.length) * this.#taste(concept, leaf);
          weights.set(leaf, (weights.get(leaf) ?? 0) + weight);
        }
        share *= ABOVE;
      }
      return new Table(weights);
    });
  }

  /** Concepts that are no leaves, at or below some kinds. */
  innerKinds(kinds: readonly number[]): Table {
    return this.#named(`inner:${kinds.join()}`, () => {
      const inner = kinds.flatMap((kind) => this.#inner.filter((c) => this.#taxonomy.isA(c, kind)));
      return new Table(new Map(inner.map((c) => [c, this.#taxonomy.usual[c]])));
    });
  }

  /** Leaves below some concepts of the written taxonomy. */
  leavesOf(...names: readonly string[]): Table {
    return this.#named(`leaves:${names.join()}`, () => {
      const leaves = names.flatMap((name) => {
        const kind = this.#taxonomy.find(name);
        return kind === undefined ? [] : [...this.#taxonomy.leaves(kind)];
      });
      return new Table(new Map(leaves.map((leaf) => [leaf, this.#taxonomy.usual[leaf]])));
    });
  }

  /** What a subject does without an object. */
  intransitives(subject: number, place: number): Table {
    return this.#named(`alone:${subject}:${place}`, () => {
      const verbs = this.verbs(subject, place, 'train');
      const alone = [...verbs.items].filter((verb) => this.rule(subject, verb).objects.length === 0);
      return new Table(new Map(alone.map((verb) => [verb, verbs.probability(verb)])));
    });
  }

  /** Properties of the mind that a subject can have. */
  reasons(subject: number): Table {
    return this.#named(`reasons:${subject}`, () => {
      const all = this.inherited(subject, 'is');
      const mental = [...all.items].filter((property) => this.#kinds.isMental[property] === 1);
      return new Table(new Map(mental.map((property) => [property, all.probability(property)])));
    });
  }

  /** Verbs by which a subject says that something is so. */
  reports(subject: number): Table {
    return this.#named(`reports:${subject}`, () => {
      const verbs = this.#behaviour
        .abilities(subject)
        .filter(({ verb }) => this.#kinds.isReporting[verb] === 1 && !this.#pairs.isHeldOut(subject, verb));
      return new Table(
        new Map(verbs.map(({ verb }) => [verb, this.#taxonomy.usual[verb] * this.#taste(subject, verb)])),
      );
    });
  }

  /** Places of a subject where an action is possible. */
  placesFor(subject: number, verb: number): Table {
    return this.#named(`places:${subject}:${verb}`, () => {
      const places = this.nearest(subject, 'at');
      const fitting = [...places.items].filter((place) => this.fits(verb, place));
      return new Table(new Map(fitting.map((place) => [place, places.probability(place)])));
    });
  }

  /** Animals and persons that have held-out pairs. */
  get newcomers(): Table {
    return this.#named('newcomers', () => {
      const all = this.leavesOf('animal', 'person');
      const some = [...all.items].filter((leaf) => this.#pairs.heldOut.has(leaf));
      return new Table(new Map(some.map((leaf) => [leaf, all.probability(leaf)])));
    });
  }

  /** What entries are about: everything below the roots except times, leaves and kinds. */
  get subjects(): Table {
    return this.#named('subjects', () => {
      const { names, forest, usual } = this.#taxonomy;
      const all = names.flatMap((_, c) =>
        names[this.#taxonomy.chainOf(c).at(-1)!] === 'time' || forest.depth[c] === 0 ? [] : [c],
      );
      return new Table(new Map(all.map((c) => [c, usual[c]])));
    });
  }

  /** Leaves that do something in training. */
  doers(verb: number): Table {
    return this.#named(`doers:${verb}`, () => {
      const doers = this.leavesOf('being', 'thing');
      const able = [...doers.items].filter((leaf) => this.verbs(leaf, -1, 'train').probability(verb) > 0);
      return new Table(new Map(able.map((leaf) => [leaf, this.#taxonomy.usual[leaf]])));
    });
  }

  /** Leaves that can have a property. */
  bearers(property: number): Table {
    return this.#named(`bearers:${property}`, () => {
      const all = this.leavesOf('being', 'thing', 'place');
      const weights = [...all.items].map((leaf) => [leaf, this.inherited(leaf, 'is').probability(property)] as const);
      return new Table(new Map(weights.map(([leaf, p]) => [leaf, p * this.#taxonomy.usual[leaf]])));
    });
  }

  #verbWeight(verb: number): number {
    return this.#taxonomy.usual[verb];
  }

  /**
   * How much a leaf is given to something: `tastes` for one concept in four, chosen by the seed, otherwise 1. Invented
   * sub-kinds have the tastes of the leaves they stand below, and their own.
   */
  #taste(concept: number, other: number): number {
    let factor = 1;
    for (let c = concept; c !== -1 && this.#taxonomy.hasTastes[c] === 1; c = this.#taxonomy.forest.parent[c]) {
      if (new Random(this.#config.seed, 'taste', c, other).below(TASTE_SHARE) === 0) factor *= this.#config.tastes;
    }
    return factor;
  }

  #mask(kinds: readonly number[]): Uint8Array {
    const mask = new Uint8Array(this.#taxonomy.size);
    for (const kind of kinds) for (const leaf of this.#taxonomy.leaves(kind)) mask[leaf] = 1;
    return mask;
  }

  #named(key: string, make: () => Table): Table {
    let table = this.#cache.get(key);
    if (!table) this.#cache.set(key, (table = make()));
    return table;
  }

  #numbered(key: number, make: () => Table): Table {
    let table = this.#byNumber.get(key);
    if (!table) this.#byNumber.set(key, (table = make()));
    return table;
  }
}

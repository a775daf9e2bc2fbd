/** Who and what a story is about, and what they are called next. */
import type { Chance, Table } from './chance.ts';
import type { WorldConfig } from './config.ts';
import type { Kinds } from './kinds.ts';
import type { Clause, Mention, Pronoun, Said } from './meaning.ts';
import type { Tables } from './tables.ts';
import type { Taxonomy } from './taxonomy.ts';

/** Somebody or something that a story can come back to. */
export interface Entity {
  readonly concept: number;
  readonly pronoun: Pronoun;
  /** Mentioned before. */
  readonly isKnown: boolean;
  /** Attributes (colour, mood …) that are settled. */
  readonly attributes: readonly number[];
}

const PRONOUN_SHARE = 0.5;
const ADJECTIVE_SHARE = 0.25;
/** Share of objects that are already part of the story, if any fits. */
const RETURN_SHARE = 0.5;
const MOST_ENTITIES = 5;

export interface Mark {
  readonly surprisal: number;
  readonly slot: number;
  readonly topic: number;
  readonly entities: readonly Entity[];
}

/** State of one document. Entities are replaced, never changed, so that a sentence can be taken back. */
export class Discourse {
  readonly chance: Chance;
  /** −1 in documents that are nowhere. */
  place = -1;
  /** Speaks of kinds ("a dog barks"), not of somebody. */
  isGeneric = false;
  /** Index of the entity that the last sentence was about, −1 at the beginning. */
  topic = -1;
  entities: readonly Entity[] = [];
  readonly #taxonomy: Taxonomy;
  readonly #tables: Tables;
  readonly #kinds: Kinds;
  readonly #config: WorldConfig;
  #slot = 0;

  constructor(taxonomy: Taxonomy, tables: Tables, kinds: Kinds, config: WorldConfig, chance: Chance) {
    this.#taxonomy = taxonomy;
    this.#tables = tables;
    this.#kinds = kinds;
    this.#config = config;
    this.chance = chance;
  }

  mark(): Mark {
    return { surprisal: this.chance.surprisal, slot: this.#slot, topic: this.topic, entities: this.entities };
  }

  takeBack(mark: Mark): void {
    this.chance.surprisal = mark.surprisal;
    this.#slot = mark.slot;
    this.topic = mark.topic;
    this.entities = mark.entities;
  }

  say(concept: number): Said {
    return { concept, slot: this.#slot++ };
  }

  /** Index of a new entity, or of the one there is of this concept. */
  introduce(concept: number, isKnown = false): number {
    const index = this.entities.findIndex((entity) => entity.concept === concept);
    if (index !== -1) return index;
    const pronoun = this.#kinds.pronoun(concept, () => this.chance.happens(0.5));
    this.entities = [...this.entities, { concept, pronoun, isKnown, attributes: [] }];
    return this.entities.length - 1;
  }

  /** Attribute of a property: colour of red. */
  attributeOf(property: number): number {
    return this.#taxonomy.chainOf(property).at(-3) ?? property;
  }

  /** Settles an attribute; false if it was settled before. */
  settle(index: number, property: number): boolean {
    const attribute = this.attributeOf(property);
    const entity = this.entities[index];
    if (entity.attributes.includes(attribute)) return false;
    this.entities = this.entities.with(index, { ...entity, attributes: [...entity.attributes, attribute] });
    return true;
  }

  /**
   * A noun phrase for an entity: at first with an indefinite article and perhaps with a property, later as a known one; as
   * the subject it can be a pronoun, if the last sentence was about it too.
   */
  mention(index: number, isSubject: boolean, byName = false): Mention {
    const { concept, pronoun, isKnown } = this.entities[index];
    const common = { referent: concept, isMass: this.#kinds.isMass[concept] === 1, pronoun };
    if (!isKnown) {
      this.entities = this.entities.with(index, { ...this.entities[index], isKnown: true });
      const adjective = this.isGeneric ? undefined : this.#adjective(index);
      return { ...common, definite: false, noun: this.say(concept), ...(adjective && { adjective }) };
    }
    const definite = !this.isGeneric;
    if (!byName && isSubject && index === this.topic && this.chance.happens(PRONOUN_SHARE))
      return { ...common, definite };
    const name = byName || this.isGeneric ? concept : this.#nameOf(concept);
    return { ...common, definite, noun: this.say(name) };
  }

  /** Something that is mentioned once and forgotten. */
  passing(concept: number, definite = false): Mention {
    const isMass = this.#kinds.isMass[concept] === 1;
    return { noun: this.say(concept), referent: concept, definite, isMass, pronoun: 'it' };
  }

  /** An object: somebody known if that fits, somebody new, or a kind of thing ("an animal"). */
  object(table: Table, kinds: readonly number[], without: number): Mention | undefined {
    const known = this.entities.flatMap(({ concept, isKnown }) => (isKnown && concept !== without ? [concept] : []));
    if (this.chance.happens(this.#config.noise)) return this.passing(this.#anyNoun());
    if (table.size === 0) return undefined;
    if (this.chance.happens(this.#config.hypernyms / 2)) {
      const inner = this.#tables.innerKinds(kinds);
      if (inner.size > 0) return this.passing(this.chance.pick(inner));
    }
    const concept = this.chance.pickFavouring(known, RETURN_SHARE, table);
    if (concept === without) return undefined;
    if (this.isGeneric || (!known.includes(concept) && this.entities.length >= MOST_ENTITIES))
      return this.passing(concept);
    return this.mention(this.introduce(concept), false);
  }

  /** The same clause said again, of what is known by now. */
  again(clause: Clause): Clause {
    const said = (one: Said | undefined): Said | undefined => one && this.say(one.concept);
    const known = ({ noun, adjective: _, ...rest }: Mention): Mention => ({
      ...rest,
      definite: !this.isGeneric,
      ...(noun && { noun: this.say(noun.concept) }),
    });
    const { subject, verb, object, obliques, manner } = clause;
    return {
      ...(subject && { subject: known(subject) }),
      verb: typeof verb === 'string' ? verb : said(verb)!,
      ...(object && { object: known(object) }),
      ...(obliques && { obliques: obliques.map(({ relation, noun }) => ({ relation, noun: known(noun) })) }),
      ...(manner && { manner: said(manner)! }),
    };
  }

  /** The place of the story. */
  here(): Mention {
    const { place } = this;
    return { noun: this.say(this.#nameOf(place)), referent: place, definite: true, isMass: false, pronoun: 'it' };
  }

  /** A property of an entity that does not contradict what was said of it; undefined if the draw did. */
  property(index: number): number | undefined {
    const { concept } = this.entities[index];
    if (this.chance.happens(this.#config.noise)) return this.chance.pick(this.#tables.leavesOf('property'));
    const table = this.#tables.inherited(concept, 'is');
    if (table.size === 0) return undefined;
    const property = this.chance.pick(table);
    return this.settle(index, property) ? property : undefined;
  }

  #adjective(index: number): Said | undefined {
    if (!this.chance.happens(ADJECTIVE_SHARE)) return undefined;
    const property = this.property(index);
    return property === undefined ? undefined : this.say(property);
  }

  /** The concept itself or, sometimes, a kind above it that nothing else in the story belongs to. */
  #nameOf(concept: number): number {
    if (!this.chance.happens(this.#config.hypernyms)) return concept;
    const others = this.entities.filter((entity) => entity.concept !== concept);
    const above = this.#taxonomy.forest
      .ancestors(concept)
      .filter((kind) => !others.some((entity) => this.#taxonomy.isA(entity.concept, kind)));
    return above.length === 0 ? concept : above[this.chance.index(above.length)];
  }

  #anyNoun(): number {
    return this.chance.pick(this.#tables.leavesOf('being', 'thing', 'place'));
  }
}

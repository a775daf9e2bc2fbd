/** Who and what a document is about, and what they are called next. */
import type { Chance, Table } from './chance.ts';
import type { WorldConfig } from './config.ts';
import type { KindSet } from './behaviour.ts';
import type { Kinds } from './kinds.ts';
import { clauseOf, type Clause, type Mention, type Pronoun, type Said } from './meaning.ts';
import type { Tables } from './tables.ts';
import type { Taxonomy } from './taxonomy.ts';

/** Somebody or something that a story can come back to. */
interface Entity {
  readonly concept: number;
  readonly pronoun: Pronoun;
  /** Mentioned before. */
  isKnown: boolean;
  /** Attributes (colour, mood …) that are settled. */
  attributes: readonly number[];
}

const PRONOUN_SHARE = 0.5;
const ADJECTIVE_SHARE = 0.25;
/** Share of objects that are already part of the story, if any fits. */
const RETURN_SHARE = 0.5;
const MOST_ENTITIES = 5;

/** State of a discourse before a sentence. */
export interface Mark {
  readonly surprisal: number;
  readonly slot: number;
  readonly topic: number;
  readonly entities: readonly Entity[];
}

export class Discourse {
  readonly chance: Chance;
  /** −1 in documents that are nowhere. */
  place = -1;
  /** Speaks of kinds ("a dog barks"), not of somebody. */
  isGeneric = false;
  /** Index of the entity that the last sentence was about, −1 at the beginning. */
  topic = -1;
  /** Hashes of the sentences so far. */
  readonly said = new Set<number>();
  /** Who did what so far, as numbers of the storyteller. */
  readonly done = new Set<number>();
  #entities: Entity[] = [];
  #slot = 0;
  readonly #taxonomy: Taxonomy;
  readonly #tables: Tables;
  readonly #kinds: Kinds;
  readonly #config: WorldConfig;

  constructor(taxonomy: Taxonomy, tables: Tables, kinds: Kinds, config: WorldConfig, chance: Chance) {
    this.#taxonomy = taxonomy;
    this.#tables = tables;
    this.#kinds = kinds;
    this.#config = config;
    this.chance = chance;
  }

  /** Number of entities so far; their indices are 0 … size − 1. */
  get size(): number {
    return this.#entities.length;
  }

  conceptOf(index: number): number {
    return this.#entities[index].concept;
  }

  has(concept: number): boolean {
    return this.#entities.some((entity) => entity.concept === concept);
  }

  mark(): Mark {
    const entities = this.#entities.map((entity) => ({ ...entity }));
    return { surprisal: this.chance.surprisal, slot: this.#slot, topic: this.topic, entities };
  }

  /** Forgets all that was said since the mark. */
  takeBack({ surprisal, slot, topic, entities }: Mark): void {
    this.chance.surprisal = surprisal;
    this.#slot = slot;
    this.topic = topic;
    this.#entities = entities.map((entity) => ({ ...entity }));
  }

  say(concept: number): Said {
    return { concept, slot: this.#slot++ };
  }

  /** Index of a new entity, or of the one there is of this concept. */
  introduce(concept: number, isKnown = false): number {
    const index = this.#entities.findIndex((entity) => entity.concept === concept);
    if (index !== -1) return index;
    const pronoun = this.#kinds.pronounOf(concept) ?? (this.chance.happens(0.5) ? 'she' : 'he');
    return this.#entities.push({ concept, pronoun, isKnown, attributes: [] }) - 1;
  }

  /** Settles an attribute of an entity (its colour, by *red*); false if it was settled before. */
  settle(index: number, property: number): boolean {
    const entity = this.#entities[index];
    const attribute = this.#kinds.attribute[property];
    if (entity.attributes.includes(attribute)) return false;
    entity.attributes = [...entity.attributes, attribute];
    return true;
  }

  /**
   * A noun phrase for an entity: at first with an indefinite article and perhaps with a property, later as a known one; as
   * the subject it can be a pronoun, if the last sentence was about it too.
   */
  mention(index: number, isSubject: boolean, byName = false): Mention {
    const entity = this.#entities[index];
    const { concept, pronoun, isKnown } = entity;
    entity.isKnown = true;
    let noun: Said | undefined;
    let adjective: Said | undefined;
    if (!isKnown) {
      adjective = this.isGeneric ? undefined : this.#adjective(index);
      noun = this.say(concept);
    } else if (byName || !isSubject || index !== this.topic || !this.chance.happens(PRONOUN_SHARE)) {
      noun = this.say(byName || this.isGeneric ? concept : this.#nameOf(concept));
    }
    const definite = isKnown && !this.isGeneric;
    const isMass = this.#kinds.isMass[concept] === 1;
    return { noun, referent: concept, definite, isMass, pronoun, adjective, of: undefined };
  }

  /** Something that is mentioned once and forgotten. */
  passing(concept: number): Mention {
    return this.#name(concept, concept, false);
  }

  /** An object: somebody known if that fits, somebody new, or a kind of thing ("an animal"). */
  object(table: Table, kinds: KindSet, without: number): Mention | undefined {
    if (this.chance.happens(this.#config.noise)) return this.passing(this.chance.pick(this.#tables.anyNoun));
    if (table.size === 0) return undefined;
    const inner = this.#tables.innerKinds(kinds);
    if (inner.size > 0 && this.chance.happens(this.#config.hypernyms / 2)) return this.passing(this.chance.pick(inner));
    const known: number[] = [];
    for (const { concept, isKnown } of this.#entities) if (isKnown && concept !== without) known.push(concept);
    const concept = this.chance.pickFavouring(known, RETURN_SHARE, table);
    if (concept === without) return undefined;
    const isCrowded = this.#entities.length >= MOST_ENTITIES && !known.includes(concept);
    return this.isGeneric || isCrowded ? this.passing(concept) : this.mention(this.introduce(concept), false);
  }

  /** The place of the story. */
  here(): Mention {
    return this.#name(this.place, this.#nameOf(this.place), true);
  }

  /** "the colour of …" */
  attribute(property: number, of: Mention): Mention {
    const attribute = this.#kinds.attribute[property];
    return { ...this.#name(attribute, attribute, true), of };
  }

  /** The same clause said again, of what is known by now. */
  again({ subject, verb, object, andObject, obliques, manner }: Clause): Clause {
    const said = (one: Said): Said => this.say(one.concept);
    const known = (mention: Mention): Mention => ({
      ...mention,
      noun: mention.noun && said(mention.noun),
      definite: !this.isGeneric,
      adjective: undefined,
    });
    return clauseOf(typeof verb === 'string' ? verb : said(verb), {
      subject: subject && known(subject),
      object: object && known(object),
      andObject: andObject && known(andObject),
      obliques: obliques.map(({ relation, noun }) => ({ relation, noun: known(noun) })),
      manner: manner && said(manner),
    });
  }

  /** A property of an entity that does not contradict what was said of it; undefined if the draw did. */
  property(index: number): number | undefined {
    if (this.chance.happens(this.#config.noise)) return this.chance.pick(this.#tables.anyProperty);
    const table = this.#tables.inherited(this.conceptOf(index), 'is');
    if (table.size === 0) return undefined;
    const property = this.chance.pick(table);
    return this.settle(index, property) ? property : undefined;
  }

  #adjective(index: number): Said | undefined {
    if (!this.chance.happens(ADJECTIVE_SHARE)) return undefined;
    const property = this.property(index);
    return property === undefined ? undefined : this.say(property);
  }

  #name(referent: number, name: number, definite: boolean): Mention {
    const isMass = this.#kinds.isMass[name] === 1;
    return { noun: this.say(name), referent, definite, isMass, pronoun: 'it', adjective: undefined, of: undefined };
  }

  /** The concept itself or, sometimes, a kind above it that nothing else in the story belongs to. */
  #nameOf(concept: number): number {
    if (!this.chance.happens(this.#config.hypernyms)) return concept;
    const above = this.#taxonomy.forest
      .ancestors(concept)
      .filter((kind) => !this.#entities.some((e) => e.concept !== concept && this.#taxonomy.isA(e.concept, kind)));
    return above.length === 0 ? concept : above[this.chance.index(above.length)];
  }
}

/** Sentences about an entity of a discourse. Each returns undefined where there is nothing to say. */
import type { Table } from './chance.ts';
import type { Discourse } from './discourse.ts';
import type { Kinds } from './kinds.ts';
import {
  clauseOf,
  isFunctionVerb,
  sentenceOf,
  type Clause,
  type Mention,
  type Oblique,
  type Sentence,
} from './meaning.ts';
import type { PairSide, Tables } from './tables.ts';
import type { Taxonomy } from './taxonomy.ts';

const SHARES = {
  negative: 0.06,
  place: 0.2,
  manner: 0.15,
  instrument: 0.4,
  andObject: 0.1,
  second: 0.08,
  because: 0.1,
} as const;

interface ActOptions {
  readonly side?: PairSide;
  /** Say where, in any case (true) or never (false); otherwise sometimes. */
  readonly place?: boolean;
}

export class Statements {
  readonly #taxonomy: Taxonomy;
  readonly #tables: Tables;
  readonly #kinds: Kinds;

  constructor(taxonomy: Taxonomy, tables: Tables, kinds: Kinds) {
    this.#taxonomy = taxonomy;
    this.#tables = tables;
    this.#kinds = kinds;
  }

  /** Does something. */
  act(d: Discourse, index: number, subject: Mention, options: ActOptions = {}): Sentence | undefined {
    const clause = this.#action(d, index, subject, options);
    if (!clause || isFunctionVerb(clause.verb)) return undefined;
    const concept = d.conceptOf(index);
    if (d.chance.happens(SHARES.second)) {
      const table = this.#tables.intransitives(concept, d.place);
      const second = table.size > 0 ? d.chance.pick(table) : undefined;
      if (second === undefined || second === clause.verb.concept) return undefined;
      return sentenceOf('plain', clause, { second: d.say(second) });
    }
    if (this.#kinds.isAnimate[concept] && d.chance.happens(SHARES.because)) {
      const reasons = this.#tables.reasons(concept);
      const reason = reasons.size > 0 ? d.chance.pick(reasons) : undefined;
      if (reason === undefined || !d.settle(index, reason)) return undefined;
      return sentenceOf('plain', clause, { because: d.say(reason) });
    }
    return sentenceOf('plain', clause);
  }

  #action(d: Discourse, index: number, subject: Mention, { side = 'train', place }: ActOptions): Clause | undefined {
    const concept = d.conceptOf(index);
    const verbs = this.#tables.verbs(concept, d.place, side);
    return verbs.size === 0 ? undefined : this.action(d, concept, subject, d.chance.pick(verbs), place);
  }

  /** The clause of a concept that does something it can do. */
  action(d: Discourse, concept: number, subject: Mention, verb: number, sayPlace?: boolean): Clause | undefined {
    const { objects, receivers } = this.#tables.rule(concept, verb);
    const said = d.say(verb);
    let object: Mention | undefined;
    let andObject: Mention | undefined;
    const obliques: Oblique[] = [];
    if (objects) {
      object = d.object(this.#tables.members(objects, verb, d.place), objects, concept);
      if (!object) return undefined;
      if (d.chance.happens(SHARES.andObject)) {
        andObject = d.object(this.#tables.members(objects, verb, d.place), objects, concept);
        if (!andObject || andObject.referent === object.referent) return undefined;
      }
      if (receivers) {
        const receiver = d.object(this.#tables.members(receivers, -1, d.place), receivers, concept);
        if (!receiver || receiver.referent === object.referent) return undefined;
        obliques.push({ relation: 'to', noun: receiver });
      } else if (this.#kinds.isPerson[concept]) {
        const instruments = this.#tables.nearest(verb, 'with');
        if (instruments.size > 0 && d.chance.happens(SHARES.instrument)) {
          obliques.push({ relation: 'with', noun: d.passing(d.chance.pick(instruments)) });
        }
      }
    }
    if (object?.referent !== d.place && (sayPlace ?? d.chance.happens(SHARES.place))) {
      const where = this.#place(d, concept, verb);
      if (where) obliques.push(where);
    }
    const manners = this.#tables.inherited(verb, 'how');
    const manner = manners.size > 0 && d.chance.happens(SHARES.manner) ? d.say(d.chance.pick(manners)) : undefined;
    const negative = d.chance.happens(SHARES.negative);
    return clauseOf(said, { subject, object, andObject, obliques, manner, negative });
  }

  /** Says that something known does something. */
  report(d: Discourse, index: number, subject: Mention): Sentence | undefined {
    const verbs = this.#tables.reports(d.conceptOf(index));
    if (verbs.size === 0 || d.size < 2) return undefined;
    const verb = d.say(d.chance.pick(verbs));
    const other = (index + 1 + d.chance.index(d.size - 1)) % d.size;
    const reported = this.#action(d, other, d.mention(other, false), { place: false });
    return reported && sentenceOf('plain', clauseOf(verb, { subject }), { reported });
  }

  /** Is big, red, happy. */
  quality(d: Discourse, index: number, subject: Mention): Sentence | undefined {
    const property = d.property(index);
    return property === undefined ? undefined : this.isProperty(d, subject, property);
  }

  isProperty(d: Discourse, subject: Mention, property: number): Sentence {
    return sentenceOf('plain', clauseOf('is', { subject, quality: d.say(property) }));
  }

  /** "the colour of the apple is red" */
  attribute(d: Discourse, index: number, of: Mention): Sentence | undefined {
    const property = d.property(index);
    return property === undefined ? undefined : this.isProperty(d, d.attribute(property, of), property);
  }

  /** Is a kind of being, thing or place; `kinds` are those that can be said. */
  kind(d: Discourse, kinds: readonly number[], subject: Mention): Sentence | undefined {
    if (kinds.length === 0) return undefined;
    const kind = d.passing(kinds[d.chance.index(kinds.length)]);
    return sentenceOf('plain', clauseOf('is', { subject, kind }));
  }

  /** Is at the place of the story. */
  where(d: Discourse, subject: Mention): Sentence {
    return sentenceOf('plain', clauseOf('is', { subject, obliques: [this.#here(d)] }));
  }

  there(d: Discourse, subject: Mention): Sentence {
    return sentenceOf('there', clauseOf('is', { subject, obliques: [this.#here(d)] }));
  }

  /** Has a part. */
  has(d: Discourse, concept: number, subject: Mention): Sentence | undefined {
    return this.#with('has', this.#tables.inherited(concept, 'has'), d, subject);
  }

  /** Contains something. */
  contains(d: Discourse, concept: number, subject: Mention): Sentence | undefined {
    return this.#with('contains', this.#tables.nearest(concept, 'holds'), d, subject);
  }

  /** Is made of a material. */
  made(d: Discourse, concept: number, subject: Mention): Sentence | undefined {
    const table = this.#tables.nearest(concept, 'of');
    if (table.size === 0) return undefined;
    const material = d.passing(d.chance.pick(table));
    return sentenceOf('plain', clauseOf('made', { subject, obliques: [{ relation: 'of', noun: material }] }));
  }

  /** "who bakes also cooks" */
  rule(d: Discourse, verb: number): Sentence | undefined {
    const above = this.#taxonomy.forest.ancestors(verb);
    if (above.length === 0) return undefined;
    const said = d.say(verb);
    return sentenceOf('rule', clauseOf(said, {}), { second: d.say(above[d.chance.index(above.length)]) });
  }

  #with(verb: 'has' | 'contains', table: Table, d: Discourse, subject: Mention): Sentence | undefined {
    if (table.size === 0) return undefined;
    return sentenceOf('plain', clauseOf(verb, { subject, object: d.passing(d.chance.pick(table)) }));
  }

  /** The place of the story; of a kind, a place where its members do such things. */
  #place(d: Discourse, concept: number, verb: number): Oblique | undefined {
    if (d.place !== -1) return this.#here(d);
    const places = this.#tables.placesFor(concept, verb);
    if (places.size === 0) return undefined;
    const place = d.chance.pick(places);
    return { relation: this.#kinds.relation[place], noun: d.passing(place) };
  }

  #here(d: Discourse): Oblique {
    const noun = d.here();
    return { relation: this.#kinds.relation[noun.noun!.concept], noun };
  }
}

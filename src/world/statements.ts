/** Sentences about an entity of a discourse. Each returns undefined where there is nothing to say. */
import type { Table } from './chance.ts';
import type { Discourse } from './discourse.ts';
import type { Kinds } from './kinds.ts';
import type { Clause, Mention, Oblique, Sentence } from './meaning.ts';
import type { PairSide, Tables } from './tables.ts';
import type { Taxonomy } from './taxonomy.ts';

const SHARES = { negative: 0.06, place: 0.2, manner: 0.15, instrument: 0.4, second: 0.08, because: 0.1 } as const;

export interface ActOptions {
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
    if (!clause || typeof clause.verb === 'string') return undefined;
    const { concept } = d.entities[index];
    if (d.chance.happens(SHARES.second)) {
      const table = this.#tables.intransitives(concept, d.place);
      const second = table.size > 0 ? d.chance.pick(table) : undefined;
      if (second === undefined || second === clause.verb.concept) return undefined;
      return { form: 'plain', clause, second: d.say(second) };
    }
    if (this.#kinds.isAnimate[concept] && d.chance.happens(SHARES.because)) {
      const reasons = this.#tables.reasons(concept);
      const reason = reasons.size > 0 ? d.chance.pick(reasons) : undefined;
      if (reason === undefined || !d.settle(index, reason)) return undefined;
      return { form: 'plain', clause, because: d.say(reason) };
    }
    return { form: 'plain', clause };
  }

  #action(d: Discourse, index: number, subject: Mention, { side = 'train', place }: ActOptions): Clause | undefined {
    const { concept } = d.entities[index];
    const verbs = this.#tables.verbs(concept, d.place, side);
    return verbs.size === 0 ? undefined : this.actionOf(d, concept, subject, d.chance.pick(verbs), place);
  }

  /** The clause of a concept that does something it can do. */
  actionOf(d: Discourse, concept: number, subject: Mention, verb: number, place?: boolean): Clause | undefined {
    const rule = this.#tables.rule(concept, verb);
    const said = d.say(verb);
    let object: Mention | undefined;
    const obliques: Oblique[] = [];
    if (rule.objects.length > 0) {
      object = d.object(this.#tables.members(rule.objects, verb, d.place), rule.objects, concept);
      if (!object) return undefined;
      if (rule.receivers.length > 0) {
        const receiver = d.object(this.#tables.members(rule.receivers, -1, d.place), rule.receivers, concept);
        if (!receiver || receiver.referent === object.referent) return undefined;
        obliques.push({ relation: 'to', noun: receiver });
      } else if (this.#kinds.isPerson[concept]) {
        const instruments = this.#tables.nearest(verb, 'with');
        if (instruments.size > 0 && d.chance.happens(SHARES.instrument)) {
          obliques.push({ relation: 'with', noun: d.passing(d.chance.pick(instruments)) });
        }
      }
    }
    if (d.isGeneric && d.chance.happens(SHARES.place)) {
      const places = this.#tables.placesFor(concept, verb);
      if (places.size > 0) {
        const where = d.chance.pick(places);
        obliques.push({ relation: this.#kinds.relation[where], noun: d.passing(where) });
      }
    } else if (d.place !== -1 && object?.referent !== d.place && (place ?? d.chance.happens(SHARES.place))) {
      obliques.push(this.#here(d));
    }
    const manners = this.#tables.inherited(verb, 'how');
    const manner = manners.size > 0 && d.chance.happens(SHARES.manner) ? d.say(d.chance.pick(manners)) : undefined;
    const negative = d.chance.happens(SHARES.negative);
    return {
      subject,
      verb: said,
      negative,
      ...(object && { object }),
      ...(obliques.length > 0 && { obliques }),
      ...(manner && { manner }),
    };
  }

  /** Says that something known does something. */
  report(d: Discourse, index: number, subject: Mention): Sentence | undefined {
    const verbs = this.#tables.reports(d.entities[index].concept);
    const others = d.entities.map((_, i) => i).filter((i) => i !== index);
    if (verbs.size === 0 || others.length === 0) return undefined;
    const verb = d.say(d.chance.pick(verbs));
    const other = others[d.chance.index(others.length)];
    const reported = this.#action(d, other, d.mention(other, false), { place: false });
    return reported && { form: 'plain', clause: { subject, verb }, reported };
  }

  /** Is big, red, happy. */
  quality(d: Discourse, index: number, subject: Mention): Sentence | undefined {
    const property = d.property(index);
    return property === undefined
      ? undefined
      : { form: 'plain', clause: { subject, verb: 'is', quality: d.say(property) } };
  }

  /** "the colour of the apple is red" */
  attribute(d: Discourse, index: number, of: Mention): Sentence | undefined {
    const property = d.property(index);
    if (property === undefined) return undefined;
    const attribute = d.attributeOf(property);
    const subject: Mention = { ...d.passing(attribute, true), of };
    return { form: 'plain', clause: { subject, verb: 'is', quality: d.say(property) } };
  }

  /** Is a kind of being, thing or place; `kinds` are those that can be said. */
  kind(d: Discourse, kinds: readonly number[], subject: Mention): Sentence | undefined {
    if (kinds.length === 0) return undefined;
    return { form: 'plain', clause: { subject, verb: 'is', kind: d.passing(kinds[d.chance.index(kinds.length)]) } };
  }

  /** Is at the place of the story. */
  where(d: Discourse, subject: Mention): Sentence {
    return { form: 'plain', clause: { subject, verb: 'is', obliques: [this.#here(d)] } };
  }

  there(d: Discourse, subject: Mention): Sentence {
    return { form: 'there', clause: { subject, verb: 'is', obliques: [this.#here(d)] } };
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
    return { form: 'plain', clause: { subject, verb: 'made', obliques: [{ relation: 'of', noun: material }] } };
  }

  /** "who bakes also cooks" */
  rule(d: Discourse, verb: number): Sentence | undefined {
    const above = this.#taxonomy.forest.ancestors(verb);
    if (above.length === 0) return undefined;
    const second = above[d.chance.index(above.length)];
    return { form: 'rule', clause: { verb: d.say(verb) }, second: d.say(second) };
  }

  #with(verb: 'has' | 'contains', table: Table, d: Discourse, subject: Mention): Sentence | undefined {
    if (table.size === 0) return undefined;
    return { form: 'plain', clause: { subject, verb, object: d.passing(d.chance.pick(table)) } };
  }

  #here(d: Discourse): Oblique {
    return { relation: this.#kinds.relation[d.place], noun: d.here() };
  }
}

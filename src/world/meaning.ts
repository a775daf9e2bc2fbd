/** What sentences say, before any language puts it into words. */
import { absorb, finish } from './hash.ts';

/** A concept that is said. The same `slot` in several languages is the same mention. */
export interface Said {
  readonly concept: number;
  readonly slot: number;
}

export type Pronoun = 'he' | 'she' | 'it';

/** A noun phrase. */
export interface Mention {
  /** None for a pronoun. */
  readonly noun: Said | undefined;
  /** Who or what is meant; for "the animal" said of a dog, the dog. */
  readonly referent: number;
  readonly definite: boolean;
  /** Said without a number or an indefinite article: milk, gold, red. */
  readonly isMass: boolean;
  readonly pronoun: Pronoun;
  readonly adjective: Said | undefined;
  /** "the colour of the apple" */
  readonly of: Mention | undefined;
}

/** Verbs and relations that every language has a function word for. */
export type FunctionVerb = 'is' | 'has' | 'contains' | 'made';
export type Relation = 'in' | 'on' | 'at' | 'with' | 'to' | 'of';

export interface Oblique {
  readonly relation: Relation;
  readonly noun: Mention;
}

export interface Clause {
  /** None when it is asked for. */
  readonly subject: Mention | undefined;
  readonly verb: Said | FunctionVerb;
  readonly negative: boolean;
  readonly object: Mention | undefined;
  /** Joined to the object: "an apple and a pear". */
  readonly andObject: Mention | undefined;
  /** After *is*: a property, or a kind. */
  readonly quality: Said | undefined;
  readonly kind: Mention | undefined;
  readonly obliques: readonly Oblique[];
  readonly manner: Said | undefined;
}

/**
 * - `plain`: a statement;
 * - `who`: the question for the subject;
 * - `where`: the question for the place;
 * - `there`: "there is a dog in the garden";
 * - `rule`: "who bakes also cooks".
 */
export type SentenceForm = 'plain' | 'who' | 'where' | 'there' | 'rule';

export interface Sentence {
  readonly form: SentenceForm;
  readonly clause: Clause;
  readonly time: Said | undefined;
  /** A second action of the same subject; under `rule`, the one that follows. */
  readonly second: Said | undefined;
  /** Property of the subject that is the reason. */
  readonly because: Said | undefined;
  /** What is said, after a verb of saying. */
  readonly reported: Clause | undefined;
}

/** A clause with nothing but its verb and `parts`. */
export function clauseOf(verb: Said | FunctionVerb, parts: Partial<Clause>): Clause {
  const { subject, negative = false, object, andObject, quality, kind, obliques = [], manner } = parts;
  return { subject, verb, negative, object, andObject, quality, kind, obliques, manner };
}

/** A sentence with nothing but its clause and `parts`. */
export function sentenceOf(form: SentenceForm, clause: Clause, parts: Partial<Sentence> = {}): Sentence {
  const { time, second, because, reported } = parts;
  return { form, clause, time, second, because, reported };
}

export const isFunctionVerb = (verb: Said | FunctionVerb): verb is FunctionVerb => typeof verb === 'string';

/** Pairs (subject concept, action) of a sentence, whoever the subject is called. */
export function pairsOf({ clause, second, reported }: Sentence): [subject: number, verb: number][] {
  const pairs: [number, number][] = [];
  for (const each of [clause, reported]) {
    if (!each?.subject || isFunctionVerb(each.verb)) continue;
    pairs.push([each.subject.referent, each.verb.concept]);
    if (each === clause && second) pairs.push([each.subject.referent, second.concept]);
  }
  return pairs;
}

// Codes of what is not a concept; all different, and none a concept's index.
const NOTHING = -1;
const PRONOUN = -2;
const NEGATIVE = -3;
const AFFIRMATIVE = -4;
const VERBS: Record<FunctionVerb, number> = { is: -10, has: -11, contains: -12, made: -13 };
const FORMS: Record<SentenceForm, number> = { plain: -20, who: -21, where: -22, there: -23, rule: -24 };
const RELATIONS: Record<Relation, number> = { in: -30, on: -31, at: -32, with: -33, to: -34, of: -35 };

/**
 * Hash of what a sentence says, as a number in [0, 1). Two sentences of the same words, in whatever language, have the same
 * hash: concepts count by `same`, which unites those that share a word; pronouns are all one; articles do not count.
 * @param same `[concepts]` representative of the concepts that some word of some language stands for
 */
export function hashMeaning(sentence: Sentence, same: Int32Array, seed: number): number {
  let state = absorb(absorb(seed, FORMS[sentence.form]), sentence.time ? same[sentence.time.concept] : NOTHING);
  state = absorbClause(state, sentence.clause, same);
  state = absorbSaid(state, sentence.second, same);
  state = absorbSaid(state, sentence.because, same);
  if (sentence.reported) state = absorbClause(state, sentence.reported, same);
  return finish(state);
}

function absorbClause(state: number, clause: Clause, same: Int32Array): number {
  const { verb, negative, subject, object, andObject, kind, quality, manner, obliques } = clause;
  state = absorb(state, isFunctionVerb(verb) ? VERBS[verb] : same[verb.concept]);
  state = absorb(state, negative ? NEGATIVE : AFFIRMATIVE);
  state = absorbMention(state, subject, same);
  state = absorbMention(state, object, same);
  state = absorbMention(state, andObject, same);
  state = absorbMention(state, kind, same);
  state = absorbSaid(state, quality, same);
  state = absorbSaid(state, manner, same);
  for (const { relation, noun } of obliques) state = absorbMention(absorb(state, RELATIONS[relation]), noun, same);
  return state;
}

function absorbMention(state: number, mention: Mention | undefined, same: Int32Array): number {
  if (!mention) return absorb(state, NOTHING);
  state = mention.noun ? absorb(state, same[mention.noun.concept]) : absorb(state, PRONOUN);
  state = absorbSaid(state, mention.adjective, same);
  return mention.of ? absorbMention(state, mention.of, same) : state;
}

function absorbSaid(state: number, said: Said | undefined, same: Int32Array): number {
  return absorb(state, said ? same[said.concept] : NOTHING);
}
